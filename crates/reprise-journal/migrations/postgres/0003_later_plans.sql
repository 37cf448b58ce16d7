-- Plans that took over from the one in `plans`, by their hash; `first_seq` is
-- the first entry of the page that put the plan in force.
create table later_plans (
    run       text not null references runs (id),
    hash      bytea not null,
    first_seq bigint not null,
    digest    bytea not null,
    body      text not null,
    primary key (run, hash)
);
