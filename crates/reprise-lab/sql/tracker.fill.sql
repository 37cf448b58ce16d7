insert into tracker.currencies values ('EUR', 2), ('USD', 2), ('JPY', 0);
insert into tracker.issue_types values (1, 'bug'), (2, 'story'), (3, 'task'), (4, 'epic');

insert into tracker.site
select id, name, jsonb_build_object('tier', tier, 'flags', jsonb_build_array('beta', null, 1.5)),
       timestamptz '2022-01-01 00:00+00' + make_interval(mins => pg_temp.pick(id, 1, 900000))
from lab_site;
insert into tracker.site_stats (site_id) select id from lab_site;

insert into tracker.accounts
select md5('user' || s.id || '/' || n)::uuid, s.id, n, 'user' || n || '@' || s.host
from lab_site s cross join lateral generate_series(1, s.users) as n;

-- Larger sites have more projects, up to eight.
insert into tracker.projects (site_id, key, name, lead_id, budget, currency)
select s.id, 'P' || n, 'Project ' || n, md5('user' || s.id || '/1')::uuid,
       case when n % 3 > 0 then pg_temp.pick(s.id * 10 + n, 2, 100000000) / 100.0 end,
       (array['EUR', 'USD', 'JPY'])[1 + n % 3]
from lab_site s cross join lateral generate_series(1, least(8, 1 + s.issues / 150)) as n
order by s.id, n;

insert into tracker.boards (project_id, name, columns)
select id, kind, array['to do', 'doing', 'a "quoted", {braced} one', 'done']
from tracker.projects cross join unnest(array['kanban', 'scrum']) as kind
order by id, kind;
update tracker.projects p
set lead_board = (select max(b.id) from tracker.boards b where b.project_id = p.id);

insert into tracker.key_blocks
select id, int8range(id * 100000, id * 100000 + 50000) from tracker.projects;

insert into tracker.sprints (board_id, goal, during)
select b.id, case when n % 4 > 0 then 'Goal ' || n end,
       tstzrange(timestamptz '2026-01-01 00:00+00' + make_interval(weeks => 2 * n),
                 timestamptz '2026-01-15 00:00+00' + make_interval(weeks => 2 * n))
from tracker.boards b cross join generate_series(0, 3) as n
where b.name = 'scrum' order by b.id, n;

insert into tracker.workflows (project_id, name) select id, 'default' from tracker.projects order by id;
insert into tracker.workflow_statuses
select w.id, code, case code when 'done' then 'closed' else 'open' end
from tracker.workflows w cross join unnest(array['open', 'doing', 'review', 'done']) as code;
insert into tracker.workflow_transitions
select w.id, f, t, case when f = 'review' then '{"needs": "approval"}'::jsonb end
from tracker.workflows w
cross join (values ('open', 'doing'), ('doing', 'review'), ('review', 'done'), ('review', 'doing')) as v (f, t);

insert into tracker.components (project_id, name)
select id, 'component ' || n from tracker.projects cross join generate_series(1, 3) as n order by id, n;
insert into tracker.versions (project_id, name, supported)
select id, '1.' || n, case when n > 0 then daterange(date '2026-01-01' + 90 * n, null) end
from tracker.projects cross join generate_series(0, 3) as n order by id, n;
insert into tracker.labels (site_id, name)
select id, 'label-' || n from lab_site cross join generate_series(1, 6) as n order by id, n;

-- Rows of all sites lie mixed on the pages, as years of use would leave them.
insert into tracker.issues (project_id, number, type_id, workflow_id, status, priority, reporter_id,
  assignee_id, sprint_id, summary, description, story_points, tags, fields, created_at, updated_at)
select p.id, n, 1 + h % 4, w.id, (array['open', 'doing', 'review', 'done'])[1 + h % 4],
       (array['trivial', 'minor', 'major', 'critical'])[1 + h % 4]::tracker.priority,
       md5('user' || s.id || '/' || 1 + h % s.users)::uuid,
       case when h % 3 > 0 then md5('user' || s.id || '/' || 1 + h / 7 % s.users)::uuid end,
       case when h % 5 = 0 then (select min(sp.id) from tracker.sprints sp where sp.board_id = p.lead_board) end,
       'Issue ' || n || ' of ' || p.name || ': ' || md5(h::text),
       case when h % 9 > 0 then repeat(md5((h + n)::text) || E'\tline\\ \n', 1 + h % 12) end,
       case when h % 2 = 0 then h % 40 / 2.0 end,
       case h % 3 when 0 then '{}' when 1 then array['a', null, 'c,d'] else array['ünïcode', '"q"'] end,
       jsonb_build_object('severity', h % 7, 'note', E'x\ty'),
       timestamptz '2024-01-01 00:00+00' + make_interval(secs => h % 60000000),
       timestamptz '2026-01-01 00:00+00' + make_interval(secs => h % 20000000)
from lab_site s
join (select *, count(*) over (partition by site_id) as siblings from tracker.projects) p on p.site_id = s.id
join tracker.workflows w on w.project_id = p.id
cross join lateral generate_series(1, 1 + (s.issues / p.siblings)::int) as n
cross join lateral (select pg_temp.pick(p.id * 100000 + n, 3, 2000000000)) as v (h)
order by h;

-- Only a chain within the project; numbers, not ids, say which is older.
update tracker.issues i set parent_id = parent.id
from tracker.issues parent
where i.number % 6 = 0 and parent.project_id = i.project_id and parent.number = i.number / 2;

create temp table numbered as
select i.id, p.site_id, row_number() over (order by i.id) as n, count(*) over () as total
from tracker.issues i join tracker.projects p on p.id = i.project_id;
create index on numbered (n);
analyze numbered;

-- Any issue may duplicate, or link to, any other: most of them another site's.
update tracker.issues i set duplicate_of = t.id
from numbered f join numbered t on t.n = 1 + pg_temp.pick(f.id, 4, f.total::int)
where f.id = i.id and f.n % 40 = 0 and t.id <> i.id;

insert into tracker.issue_links (site_id, source_id, target_id, kind)
select f.site_id, f.id, t.id, (array['blocks', 'relates', 'clones'])[1 + f.n % 3]
from numbered f join numbered t on t.n = 1 + pg_temp.pick(f.id, 5, f.total::int)
where f.n % 8 = 0 and t.id <> f.id;

insert into tracker.issue_labels
select f.id, l.id from numbered f join tracker.labels l
  on l.site_id = f.site_id and l.name = 'label-' || 1 + pg_temp.pick(f.id, 6, 6);
insert into tracker.issue_versions
select i.id, v.id, i.number % 2 = 0
from tracker.issues i join tracker.versions v on v.project_id = i.project_id and v.name = '1.' || i.number % 4
where i.number % 3 = 0;
insert into tracker.watchers
select i.id, reporter_id from tracker.issues i where i.number % 2 = 0;

insert into tracker.comments (issue_id, author_id, body, created_at)
select i.id, i.reporter_id, repeat(md5((i.id + n)::text) || ' ', 2 + (h + n) % 9),
       timestamptz '2025-01-01 00:00+00' + make_interval(secs => h + n)
from tracker.issues i
cross join lateral (select pg_temp.pick(i.id, 7, 30000000)) as v (h)
cross join lateral generate_series(1, h % 5) as n;
insert into tracker.comment_reactions
select c.id, c.author_id, '👍' from tracker.comments c where c.id % 4 = 0;
insert into tracker.reaction_notices (comment_id, account_id, seen)
select comment_id, account_id, comment_id % 8 = 0 from tracker.comment_reactions;
insert into tracker.worklogs (issue_id, author_id, spent, cost, note)
select i.id, i.reporter_id, make_interval(mins => 5 + i.number), i.number * 1.2345, case when i.number % 4 > 0 then 'note' end
from tracker.issues i where i.number % 2 = 1;

insert into tracker.attachments (issue_id, name, content)
select i.id, 'file-' || i.number || '.bin', sha512(i.id::text::bytea) || '\x00ff0a0d5c'::bytea
from tracker.issues i where i.number % 7 = 0;
insert into tracker.attachments_archived (issue_id, name, content, archived_at)
select i.id, 'old-' || i.number, sha256(i.id::text::bytea), timestamptz '2025-12-31 23:59:59.999999+00'
from tracker.issues i where i.number % 21 = 0;
-- A few large values that do not compress.
insert into tracker.attachments (issue_id, name, content)
select f.id, 'large.bin', (select string_agg(sha512((f.id * 1000000 + k)::text::bytea), ''::bytea)
                           from generate_series(1, 16000 * (1 + f.id % 3)) as k)
from numbered f where f.n in (select 1 + total * k / 4 from (select max(total) as total from numbered) m
                              cross join generate_series(0, 3) as k);

insert into tracker.filters (site_id, owner_id, query, is_default)
select s.id, md5('user' || s.id || '/' || n)::uuid, 'status = open and number > ' || k, k = 0
from lab_site s cross join lateral generate_series(1, least(s.users, 10)) as n cross join generate_series(0, 1) as k
order by s.id, n, k;
insert into tracker.subscriptions select id, owner_id, '0 9 * * 1' from tracker.filters where not is_default;

insert into tracker.events (site_id, at, kind, payload)
select f.site_id, timestamptz '2025-09-01 00:00+00' + make_interval(hours => pg_temp.pick(f.id * 2 + k, 8, 9000)),
       'issue.' || k, jsonb_build_object('issue', f.id)
from numbered f cross join generate_series(0, 1) as k;
insert into tracker.activity
select i.id, i.reporter_id, 'viewed', ('192.0.2.' || i.number % 250)::inet
from tracker.issues i cross join generate_series(1, 2) as n where i.number % 3 > 0;
insert into tracker.audit_log (tenant_id, at, action, address, detail)
select f.site_id, timestamptz '2026-02-01 00:00+00' + make_interval(secs => f.n::int), 'login',
       '2001:db8::1'::inet, case when f.n % 2 = 0 then '{"ok": true}'::jsonb end
from numbered f where f.n % 4 = 0;
insert into tracker.webhooks (site_id, url, secret)
select s.id, 'https://hooks.' || s.host || '/' || n, sha256((s.id + n)::text::bytea)
from lab_site s cross join generate_series(1, 2) as n order by s.id, n;
