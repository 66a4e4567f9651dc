#!/bin/sh
# nameserver.sh NAME=ADDRESS|ZONE...: answers these names, says of all below a ZONE that it does not exist, and refuses all
# others, so that clients ask the next server.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
set -- "$@"
arguments=
for entry in "$@"; do
  arguments="$arguments --local=/${entry%%=*}/"
  case $entry in *=*) arguments="$arguments --host-record=${entry%%=*},${entry#*=}" ;; esac
done
# shellcheck disable=SC2086
exec dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --no-daemon --log-facility=- --user=root \
  --listen-address="$LATEEN_ADDRESS" --bind-interfaces --cache-size=0 --local-ttl=5 $arguments
