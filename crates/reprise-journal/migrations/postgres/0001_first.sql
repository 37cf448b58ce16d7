-- Times are microseconds since 1970-01-01 UTC; digests are 32 bytes.

create table runs (
    id            text primary key,
    plan_hash     bytea not null,
    target_us     bigint not null,
    created_us    bigint not null,
    env_file      text,
    sites         bigint not null,
    tasks         bigint not null,
    -- The fence: who may write, and what comes next.
    epoch         bigint not null default 0,
    next_seq      bigint not null default 0,
    head          bytea not null,
    -- The newest owner; whether it is alive is told by its lock.
    owner_host    text,
    owner_pid     bigint,
    owner_version text
);

-- Apart from `runs`, because a plan of a million tasks is 100 MB of text.
create table plans (
    run    text primary key references runs (id),
    digest bytea not null,
    body   text not null
);

-- One row for each group commit: its entries as JSON lines.
create table pages (
    run       text not null references runs (id),
    first_seq bigint not null,
    last_seq  bigint not null,
    epoch     bigint not null,
    hash      bytea not null,
    body      text not null,
    primary key (run, first_seq)
);

create table commands (
    run    text not null references runs (id),
    number bigint not null,
    at_us  bigint not null,
    body   text not null,
    primary key (run, number)
);
