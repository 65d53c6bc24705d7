#!/bin/sh
# A backup of everything, while the site runs: sudo -u videoflix deploy/backup.sh /backups
#
# It makes /backups/<moment>/ with the database, the films and the settings. Rows come first: files
# that are younger than them belong to nobody in the backup, and restoring sweeps them away. A film's
# files never change, so those that the last backup has are linked to, and cost no space.
set -eu
umask 077
here=$(cd "$(dirname "$0")/.." && pwd)
backups=${1:?Usage: backup.sh FOLDER}

setting() {
    (cd "$here" && .venv/bin/python -c "from config import Settings; print(Settings.load().$1)")
}

database=$(setting DATABASE_URL | sed 's/+psycopg2//')
case $database in
    postgresql:*) ;;
    *) echo "DATABASE_URL is not PostgreSQL: use flask data export, and copy DATA_DIR/media." >&2; exit 1 ;;
esac
media=$(setting DATA_DIR)/media
mkdir -p "$backups"
last=$(find "$backups" -maxdepth 1 -name '*Z' | sort | tail -n 1)
made=$backups/$(date -u +%Y-%m-%dT%H%M%SZ)
part=$made.part
mkdir "$part" "$part/media"

pg_dump --format=custom --no-owner --no-privileges --file="$part/database.dump" "$database"

status=0
rsync --archive --exclude=/incoming --exclude=/trash --exclude=/films/*/attempts \
    ${last:+--link-dest="$(cd "$last/media" && pwd)"} "$media/" "$part/media/" || status=$?
[ "$status" = 0 ] || [ "$status" = 24 ]  # 24: a film was deleted meanwhile

[ ! -e "$here/.env" ] || cp "$here/.env" "$part/env"
mv "$part" "$made"
echo "$made"
