#!/bin/sh
# Dumps the database at $URL into $BACKUPS, records that in the database, and removes dumps older than $KEEP_DAYS days.
# compose.yml runs it daily, and so does backup.yaml. The gateway reports the recorded time as
# artificer_store_backup_timestamp_seconds, and the alert BackupOld watches it.
set -eu
file="$BACKUPS/diptych-$(date -u +%Y%m%dT%H%M%SZ).dump"
# A cut-off dump keeps its other name.
trap 'rm -f "$file.part"' EXIT
pg_dump --format=custom --file="$file.part" --dbname="$URL"
# Whether it can be read: pg_dump reports no full disk in every case.
pg_restore --list "$file.part" > /dev/null
mv "$file.part" "$file"
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --dbname="$URL" <<'SQL'
SET client_min_messages = warning;
CREATE TABLE IF NOT EXISTS artificer_backups (finished timestamptz NOT NULL);
DELETE FROM artificer_backups WHERE finished < now() - interval '90 days';
INSERT INTO artificer_backups VALUES (now());
SQL
find "$BACKUPS" -name 'diptych-*.dump' -mtime "+$KEEP_DAYS" -delete
echo "wrote $file"
