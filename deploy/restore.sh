#!/bin/sh
# Bring a backup back to an empty site: sudo -u videoflix deploy/restore.sh /backups/<moment>
#
# The settings are in place, the database is there and empty, web server and workers are stopped.
set -eu
umask 027
here=$(cd "$(dirname "$0")/.." && pwd)
backup=$(cd "${1:?Usage: restore.sh FOLDER/MOMENT}" && pwd)

setting() {
    (cd "$here" && .venv/bin/python -c "from config import Settings; print(Settings.load().$1)")
}

database=$(setting DATABASE_URL | sed 's/+psycopg2//')
media=$(setting DATA_DIR)/media
if [ -n "$(ls -A "$media/films" 2> /dev/null)" ]; then
    echo "There are films in $media. A backup is restored to an empty site only." >&2
    exit 1
fi

pg_restore --exit-on-error --single-transaction --no-owner --no-privileges \
    --dbname="$database" "$backup/database.dump"
mkdir -p "$media"
rsync --archive --chmod=D750,F640 "$backup/media/" "$media/"

cd "$here"
.venv/bin/python -m flask --app wsgi db upgrade
.venv/bin/python -m flask --app wsgi storage audit --fix
