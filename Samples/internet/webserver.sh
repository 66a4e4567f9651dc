#!/bin/sh
# nginx with the certificate that certificates.sh has made. Its access log goes to standard output.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
root=$LATEEN_DATA/www
mkdir -p "$root" "$LATEEN_DATA/run"
chmod 755 "$LATEEN_DATA" "$root"
head -c 151654 /dev/zero | tr '\0' 'x' >"$root/politics"
cat >"$LATEEN_DATA/nginx.conf" <<CONF
daemon off;
worker_processes 1;
user root;
pid $LATEEN_DATA/run/nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log /dev/stdout;
  client_body_temp_path $LATEEN_DATA/run/body;
  proxy_temp_path $LATEEN_DATA/run/proxy;
  fastcgi_temp_path $LATEEN_DATA/run/fastcgi;
  uwsgi_temp_path $LATEEN_DATA/run/uwsgi;
  scgi_temp_path $LATEEN_DATA/run/scgi;
  default_type "text/html";
  charset utf-8;
  server {
    listen 80;
    server_name edition.cnn.com;
    location / { return 301 https://\$host\$request_uri; }
  }
  server {
    listen 443 ssl;
    server_name edition.cnn.com;
    ssl_certificate $LATEEN_DATA/server.pem;
    ssl_certificate_key $LATEEN_DATA/server.key;
    root $root;
    # For checks: who the client was, which name it asked for, and what it told of those behind it.
    location = /client {
      default_type text/plain;
      return 200 "\$remote_addr \$ssl_server_name \$http_host [\$http_x_forwarded_client_cert] [\$http_x_forwarded_for]\n";
    }
  }
  # For checks: only clients with a certificate are served, each request over a connection of its own.
  server {
    listen 8443 ssl;
    keepalive_timeout 0;
    server_name edition.cnn.com;
    ssl_certificate $LATEEN_DATA/server.pem;
    ssl_certificate_key $LATEEN_DATA/server.key;
    ssl_client_certificate $LATEEN_DATA/roots.pem;
    ssl_verify_client on;
    location / { default_type text/plain; return 200 "\$ssl_client_s_dn\n"; }
  }
}
CONF
exec nginx -c "$LATEEN_DATA/nginx.conf" -e stderr
