#!/bin/sh
# Makes a certificate authority, a certificate for $LATEEN_HOST and one for a client of it in $LATEEN_DATA, unless they are
# there and have a month left. Pods trust roots.pem.
set -eu
cd "$LATEEN_DATA"
if [ -e roots.pem ] && [ -e client.pem ] && openssl x509 -in server.pem -noout -checkend 2592000 >/dev/null 2>&1; then exit 0; fi
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -sha256 -keyout root.key -out roots.new \
  -subj "/O=Internet Stand-In/CN=Internet Stand-In Root" -addext basicConstraints=critical,CA:TRUE \
  -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr \
  -subj "/CN=$LATEEN_HOST" 2>/dev/null
printf 'subjectAltName=DNS:%s\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n' \
  "$LATEEN_HOST" >server.ext
openssl x509 -req -in server.csr -CA roots.new -CAkey root.key -CAcreateserial -days 825 -sha256 -extfile server.ext \
  -out server.pem 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout client.key -out client.csr \
  -subj "/CN=client.$LATEEN_HOST" 2>/dev/null
printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n' >client.ext
openssl x509 -req -in client.csr -CA roots.new -CAkey root.key -CAcreateserial -days 825 -sha256 -extfile client.ext \
  -out client.pem 2>/dev/null
# The root last: with it the work is done.
chmod 644 roots.new server.pem
mv roots.new roots.pem
