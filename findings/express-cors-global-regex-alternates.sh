#!/usr/bin/env bash
# cors 2.8.5 (the CORS middleware of Express) calls `test` on the one RegExp object of its configuration. With the flag `g` that object
# remembers where its last match ended, so that the next request of the same allowed origin gets no `Access-Control-Allow-Origin`.
#
# Output seen: cors 2.8.5, express 4.21.2: allowed, refused, allowed, refused, allowed, refused
# Needs: node 18 or later, npm.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >npm.log
npm install --no-audit --no-fund --save-exact cors@2.8.5 express@4.21.2 >>npm.log
cat > finding.js <<'JS'
const cors = require("cors");
const express = require("express");

const origin = "https://shop.example";
const app = express();
app.use(cors({ origin: /^https:\/\/shop\.example$/g }));
app.get("/", (_, response) => response.send("ok"));
const server = app.listen(0, "127.0.0.1", async () => {
  const verdicts = [];
  for (let request = 0; request < 6; request += 1) {
    const url = `http://127.0.0.1:${server.address().port}/`;
    const response = await fetch(url, { headers: { origin } });
    verdicts.push(response.headers.has("access-control-allow-origin") ? "allowed" : "refused");
  }
  const version = (name) => require(`${name}/package.json`).version;
  console.log(`cors ${version("cors")}, express ${version("express")}: ${verdicts.join(", ")}`);
  server.close();
});
JS
seen=$(node finding.js)
echo "$seen"
[ "$seen" = "cors 2.8.5, express 4.21.2: allowed, refused, allowed, refused, allowed, refused" ]
