insert into regions values ('eu', 'Europe'), ('us', 'North America'), ('ap', 'Asia and Pacific');
insert into plans values ('small', 9.50, 'EUR'), ('team', 49.00, 'EUR'), ('global', 990.00, 'USD');

insert into customers
select distinct on (customer_id) customer_id, customer, 'ops@' || replace(customer, ' ', '-') || '.example'
from lab_site order by customer_id;

insert into sites
select id, name, customer_id, region, tier::tier, users, shard, host,
       timestamptz '2021-01-01 00:00+00' + make_interval(hours => pg_temp.pick(id, 1, 30000))
from lab_site;

insert into site_products (site_id, product, plan)
select id, product, (array['small', 'team', 'global'])[1 + pg_temp.pick(id, 2, 3)]
from lab_site cross join unnest(array['tracker', 'wiki']) as product
order by id;

insert into licences (site_product_id, seats, term)
select p.id, 10 + pg_temp.pick(p.id * 8 + n, 3, 400), daterange(date '2024-01-01' + 365 * n, date '2025-01-01' + 365 * n)
from site_products p cross join generate_series(0, 2) as n
order by 1;

insert into apps
select 500000 + row_number() over (order by s.id, n), md5('app' || s.id || '/' || n)::uuid, s.id,
       (array['diagrams', 'timesheets', 'forms', 'roadmap'])[1 + n % 4],
       jsonb_build_object('scopes', jsonb_build_array('read', 'write'), 'slot', n)
from lab_site s cross join lateral generate_series(0, pg_temp.pick(s.id, 4, 4)) as n;

insert into app_installs
select a.id, '1.' || n, timestamptz '2024-03-01 00:00+00' + make_interval(days => 30 * n)
from apps a cross join generate_series(0, 2) as n;
