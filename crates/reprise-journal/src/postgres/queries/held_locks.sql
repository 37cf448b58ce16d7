-- Session locks on a 64-bit key are shown as two halves with objsubid 1.
select ((classid::bigint << 32) | objid::bigint) as key
from pg_locks
where locktype = 'advisory'
  and objsubid = 1
  and granted
  and database = (select oid from pg_database where datname = current_database())
