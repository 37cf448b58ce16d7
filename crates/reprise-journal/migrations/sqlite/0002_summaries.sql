-- How each run stood a moment ago, for people to see. Derived from its pages,
-- not part of their chain, and replaced as the run goes on.
create table summaries (
    run      text primary key not null references runs (id),
    next_seq integer not null,
    at_us    integer not null,
    body     text not null
) strict;
