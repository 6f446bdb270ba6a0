#!/usr/bin/env bash
# Which object serves the requests of a controller with Scope.TRANSIENT.
#
# Versions: @nestjs/common, core, platform-express 11.2.10 and 12.5.0
# Guess:    One that NestJS has made, as for every other scope: for each route, or one for all.
# Seen:     One that has the prototype of the class and whose constructor never ran: no field is set, no
#           dependency is injected, and this.service is undefined at the first request. Another
#           instance is made at the start and is not used. Nothing is logged, on either version.
# Output:   NestJS 11.2.10: constructed 1, served by a constructed object: no
#           NestJS 12.5.0: constructed 1, served by a constructed object: no
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat > "$dir/run.cjs" <<'JS'
require('reflect-metadata');
const { Controller, Get, Module, Scope } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
let constructed = 0;
class Orders {
  made = (constructed += 1);
  get() {
    return this.made === undefined ? 'no' : 'yes';
  }
}
const descriptor = Object.getOwnPropertyDescriptor(Orders.prototype, 'get');
Get('orders')(Orders.prototype, 'get', descriptor);
Controller({ path: '', scope: Scope.TRANSIENT })(Orders);
class App {}
Module({ controllers: [Orders] })(App);

(async () => {
  const app = await NestFactory.create(App, { logger: false });
  await app.listen(0, '127.0.0.1');
  const served = await (await fetch(`${await app.getUrl()}/orders`)).text();
  const { version } = require('@nestjs/core/package.json');
  console.log(`NestJS ${version}: constructed ${constructed}, served by a constructed object: ${served}`);
  process.exit(constructed === 1 && served === 'no' ? 0 : 1);
})();
JS
changed=0
for version in 11.2.10 12.5.0; do
  mkdir "$dir/$version"
  npm install --prefix "$dir/$version" --no-audit --no-fund --silent --ignore-scripts "@nestjs/common@$version" \
    "@nestjs/core@$version" "@nestjs/platform-express@$version" reflect-metadata@0.2.2 rxjs@7.8.2
  cp "$dir/run.cjs" "$dir/$version"
  timeout 60 node "$dir/$version/run.cjs" || changed=1
done
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
