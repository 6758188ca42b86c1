#!/bin/sh
# Prepares the primary of compose-postgres.yaml: creates Duet's database and user, and the standby's user, and sets the rule that each
# commit waits until the standby has it. The rule applies from the next start of the server, which follows directly after this script.
set -eu

psql --set=ON_ERROR_STOP=1 --username=postgres \
  --set=database_password="$(cat /run/secrets/database_password)" \
  --set=replication_password="$(cat /run/secrets/replication_password)" <<'SQL'
create role duet login password :'database_password';
create database shop owner duet;
create role standby login replication password :'replication_password';
alter role duet set log_parameter_max_length = 0;
alter role duet set log_parameter_max_length_on_error = 0;
alter system set synchronous_standby_names = '*';
alter system set wal_retrieve_retry_interval = '500ms';
alter system set checkpoint_timeout = '30min';
SQL
echo 'host replication standby all scram-sha-256' >> "$PGDATA/pg_hba.conf"
