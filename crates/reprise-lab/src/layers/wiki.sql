create database wiki character set utf8mb4;
use wiki;
create table label_kinds (code varchar(20) primary key, name varchar(40) not null);
insert into label_kinds values ('draft', 'Entwurf'), ('done', 'Fertig');
create table wikis (site_id bigint primary key, title varchar(200) not null);
create table spaces (
  id bigint auto_increment primary key, site_id bigint not null, code varchar(20) not null, home_id bigint null,
  unique (site_id, code), foreign key (site_id) references wikis (site_id) on delete cascade);
create table pages (
  id bigint auto_increment primary key, space_id bigint not null, parent_id bigint null, author char(36) not null,
  title varchar(200) not null, body longtext, label varchar(20) null, changed_at datetime(6) not null,
  words int as (length(body) - length(replace(body, ' ', '')) + 1) stored,
  foreign key (space_id) references spaces (id) on delete cascade,
  foreign key (parent_id) references pages (id) on delete set null,
  foreign key (label) references label_kinds (code));
alter table spaces add foreign key (home_id) references pages (id) on delete set null;
create table revisions (
  page_id bigint not null, number int not null, author char(36) not null, body longtext,
  primary key (page_id, number), foreign key (page_id) references pages (id) on delete cascade);
