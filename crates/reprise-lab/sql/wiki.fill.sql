insert into wiki.spaces (site_id, key)
select s.id, 'S' || n from lab_site s
cross join lateral generate_series(1, 1 + least(3, s.issues / 400)) as n order by s.id, n;

insert into wiki.pages (space_id, title, position, updated_at)
select sp.id, 'Page ' || n, n / 3.0::float8, timestamptz '2026-01-01 00:00+00' + make_interval(mins => n::int)
from wiki.spaces sp join lab_site s on s.id = sp.site_id
cross join lateral generate_series(1, 3 + s.issues / 12) as n
order by pg_temp.pick(sp.id * 10000 + n, 9, 1000000);
create temp table page_tree as
select id, row_number() over (partition by space_id order by id) as n, space_id from wiki.pages;
create index on page_tree (space_id, n);
update wiki.pages p set parent_id = parent.id
from page_tree t join page_tree parent on parent.space_id = t.space_id and parent.n = t.n / 3
where p.id = t.id;
update wiki.spaces s set home_page = (select min(p.id) from wiki.pages p where p.space_id = s.id);

insert into wiki.page_versions (page_id, number, author_id, body)
select p.id, n, md5('user' || sp.site_id || '/1')::uuid, repeat(md5((p.id + n)::text) || E' lorem ipsum\n', (3 + (p.id + n) % 20)::int)
from wiki.pages p join wiki.spaces sp on sp.id = p.space_id
cross join lateral generate_series(1, (1 + p.id % 3)::int) as n;
insert into wiki.page_versions (page_id, number, author_id, body)
select p.id, 100, md5('user' || sp.site_id || '/1')::uuid,
       (select string_agg(md5((p.id * 1000000 + k)::text), '') from generate_series(1, 40000) as k)
from wiki.pages p join wiki.spaces sp on sp.id = p.space_id where p.id % 700 = 5;
update wiki.pages p set current_version = (select max(v.id) from wiki.page_versions v where v.page_id = p.id);

insert into wiki.page_comments (page_id, author_id, body)
select v.page_id, v.author_id, 'first on ' || v.number from wiki.page_versions v where v.id % 3 = 0;
insert into wiki.page_comments (page_id, reply_to, author_id, body)
select page_id, id, author_id, 'reply' from wiki.page_comments where id % 2 = 0;

insert into wiki.page_restrictions
select p.id, a.id, p.id % 10 = 0
from wiki.pages p join wiki.spaces sp on sp.id = p.space_id
join tracker.accounts a on a.site_id = sp.site_id and a.number <= 2 where p.id % 5 = 0;

insert into wiki.page_issues
select t.id, n.id
from page_tree t join wiki.spaces sp on sp.id = t.space_id
join (select id, site_id, row_number() over (partition by site_id order by id) as k from numbered) n
  on n.site_id = sp.site_id and n.k = t.n;

insert into wiki.page_views
select id, date '2026-01-01' + n, (id + n) % 100
from wiki.pages cross join generate_series(0, 3) as n;
insert into wiki.templates (space_id, body)
select id, '<p>template</p>' from wiki.spaces order by id;
