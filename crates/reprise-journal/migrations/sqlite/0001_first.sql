-- Times are microseconds since 1970-01-01 UTC; digests are 32 bytes.

create table runs (
    id            text primary key not null,
    plan_hash     blob not null,
    target_us     integer not null,
    created_us    integer not null,
    env_file      text,
    sites         integer not null,
    tasks         integer not null,
    -- The fence: who may write, and what comes next.
    epoch         integer not null default 0,
    next_seq      integer not null default 0,
    head          blob not null,
    -- The newest owner; whether it is alive is told by its lock.
    owner_host    text,
    owner_pid     integer,
    owner_version text
) strict;

-- Apart from `runs`, because a plan of a million tasks is 100 MB of text.
create table plans (
    run    text primary key not null references runs (id),
    digest blob not null,
    body   text not null
) strict;

-- One row for each group commit: its entries as JSON lines.
create table pages (
    run       text not null references runs (id),
    first_seq integer not null,
    last_seq  integer not null,
    epoch     integer not null,
    hash      blob not null,
    body      text not null,
    primary key (run, first_seq)
) strict;

create table commands (
    run    text not null references runs (id),
    number integer not null,
    at_us  integer not null,
    body   text not null,
    primary key (run, number)
) strict;
