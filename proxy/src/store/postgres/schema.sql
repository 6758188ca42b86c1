create schema if not exists duet;
create table duet.about(one bool primary key default true check (one), format int not null, oldest int not null, salt bytea not null,
  moved text);
create table duet.waiting(lane bytea, id bigint, settled int[] not null default '{}', body bytea not null, primary key (lane, id))
  with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, toast_tuple_target = 8160);
alter table duet.waiting alter body set storage external;
create table duet.seen(key uuid primary key, until bigint not null);
create table duet.records(key bytea primary key, value bytea not null);
create table duet.dead(id bytea primary key, value bytea not null);
create table duet.ends(id bytea primary key, events int not null, value bytea not null);
create table duet.hours(start_ms bigint, slot int, value bytea not null, primary key (start_ms, slot)) with (fillfactor = 50);
create table duet.covered(digest bytea primary key, at_ms bigint not null);
create table duet.leases(name bytea primary key, owner uuid not null, epoch bigint not null, until timestamptz not null)
  with (fillfactor = 50);
create table duet.slots(slot int primary key, owner uuid not null, until timestamptz not null, written_ms bigint, probe_ms bigint,
  places bytea not null) with (fillfactor = 50);
create sequence duet.numbers increment by 1048576;
