insert into permissions values ('read', 'see'), ('write', 'change'), ('admin', 'administer');
insert into roles values ('viewer', 'Viewer'), ('editor', 'Editor'), ('admin', 'Administrator');
insert into role_permissions values
  ('viewer', 'read'), ('editor', 'read'), ('editor', 'write'),
  ('admin', 'read'), ('admin', 'write'), ('admin', 'admin');

insert into organisations (site_id, name, sso, created_at)
select id, name, jsonb_build_object('issuer', 'https://login.' || host), timestamptz '2022-01-01 00:00+00'
from lab_site order by id;

-- The same ids as the accounts in the product: one person, two stores.
insert into users
select md5('user' || s.id || '/' || n)::uuid, o.id, 'user' || n || '@' || s.host,
       'User ' || n, sha256(('pw' || s.id || '/' || n)::bytea),
       case when n > 1 then md5('user' || s.id || '/' || (n / 2))::uuid end, n % 17 = 0, 1
from lab_site s join organisations o on o.site_id = s.id
cross join lateral generate_series(1, s.users) as n;

insert into groups (organisation_id, name)
select o.id, g from organisations o
cross join unnest(array['everyone', 'editors', 'administrators']) as g
order by o.id, g;

insert into memberships
select g.id, u.id, timestamptz '2023-05-01 00:00+00'
from groups g join users u using (organisation_id)
where g.name = 'everyone' or hashtextextended(u.id::text, g.id) % 4 = 0;

insert into group_roles
select id, case name when 'everyone' then 'viewer' when 'editors' then 'editor' else 'admin' end from groups;

insert into role_grants
select r.group_id, r.role, (select u.id from users u where u.organisation_id = g.organisation_id order by u.id limit 1), 'set up'
from group_roles r join groups g on g.id = r.group_id;

insert into sessions
select md5('session' || u.id || '/' || n)::uuid, u.id,
       ('10.' || n || '.' || abs(hashtext(u.id::text)) % 250 || '.7')::inet, 'browser/' || n,
       tstzrange(timestamptz '2026-01-01 00:00+00', null)
from users u cross join generate_series(1, 2) as n;
