-- How each run stood a moment ago, for people to see. Derived from its pages,
-- not part of their chain, and replaced as the run goes on.
create table summaries (
    run      text primary key references runs (id),
    next_seq bigint not null,
    at_us    bigint not null,
    body     text not null
);
