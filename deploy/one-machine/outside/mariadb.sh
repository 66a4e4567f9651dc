#!/bin/sh
# Runs MariaDB with its data under $LATEEN_DATA. The first start makes the data folder.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
data=$LATEEN_DATA/data
run=$LATEEN_DATA/run
user=mysql
id $user >/dev/null 2>&1 || user=root
mkdir -p "$run"
chown $user "$LATEEN_DATA" "$run"

if [ ! -e "$data/.ready" ]; then
  rm -rf "$data"
  mariadb-install-db --no-defaults --user=$user --datadir="$data" --auth-root-authentication-method=normal \
    --skip-test-db >/dev/null
  touch "$data/.ready"
fi

# Statements of every start; they may be repeated.
init=$run/init.sql
cat >"$init" <<'SQL'
CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY 'password';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;
ALTER USER 'root'@'localhost' IDENTIFIED BY 'password';
SQL
chown $user "$init"

exec mariadbd --no-defaults --user=$user --datadir="$data" --socket="$run/mariadbd.sock" --pid-file="$run/mariadbd.pid" \
  --bind-address=0.0.0.0 --port=3306 --init-file="$init" --skip-log-bin --skip-name-resolve \
  --innodb-buffer-pool-size=16M --innodb-log-file-size=8M --key-buffer-size=1M --aria-pagecache-buffer-size=1M \
  --performance-schema=OFF --max-connections=64 --innodb-flush-log-at-trx-commit=2
