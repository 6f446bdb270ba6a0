// Draws what /live/ticks sends, and posts what the buttons ask for. Nothing is computed ahead and nothing is made up.
import uPlot from '/uplot/uPlot.esm.js';
import { WORDS } from '/words.mjs';

const HALVES = ['unlocked', 'locked'];
const WAIT_EDGES = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
const ROW = 18;
const LEFT = 72;
const RIGHT = 20;
const byId = (id) => document.getElementById(id);

let tick;
const runs = { unlocked: -1, locked: -1 };
const points = { unlocked: [], locked: [] };
const lanes = { unlocked: [], locked: [] };
let offline = false;
let refusal = '';
let dirty = false;
let asking = false;
let language = firstLanguage();
let words = WORDS[language];
let colours = {};

const views = Object.fromEntries(HALVES.map((half) => [half, makeView(half)]));

function firstLanguage() {
  const asked =
    new URLSearchParams(location.search).get('lang') ??
    localStorage.getItem('language') ??
    navigator.language;
  return asked.startsWith('zh') ? 'zh' : 'en';
}

const number = (n) => n.toLocaleString(words.locale);
const say = (what, ...numbers) => (typeof words[what] === 'function' ? words[what](...numbers) : words[what]);
const put = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};
const within = (half, selector) => views[half].root.querySelector(selector);

function makeView(half) {
  const root = byId(half);
  root.append(byId('half').content.cloneNode(true));
  root.querySelector('h2').id = `${half}-title`;
  return { root, canvas: root.querySelector('canvas'), names: root.querySelector('.names') };
}

// ---- words

function speak() {
  words = WORDS[language];
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll('[data-say]')) put(element, words[element.dataset.say]);
  document.title = words.title;
  for (const button of document.querySelectorAll('[data-language]'))
    button.setAttribute('aria-pressed', String(button.dataset.language === language));
  for (const button of document.querySelectorAll('[data-buyers]'))
    put(button, say('buyers', number(Number(button.dataset.buyers))));
  byId('less').setAttribute('aria-label', words.less);
  byId('more').setAttribute('aria-label', words.more);
  for (const half of HALVES) {
    put(within(half, 'h2'), words[half]);
    put(within(half, '.how'), words[`${half}How`]);
    put(within(half, '.lane-title'), words.lanes[half]);
    put(within(half, '.queue-title'), words.queue[half]);
    put(within(half, '.rate-title'), words.rate);
    put(within(half, '.failed-title'), words.failed);
    put(within(half, '.grants-title'), words.grants);
    put(within(half, '.fence-title'), words.fence);
    put(within(half, '.wait-title'), words.waits);
  }
}

// ---- charts

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ['paper', 'ink', 'muted', 'rule', 'lock', 'red', 'wash', 'idle'])
    colours[name] = style.getPropertyValue(`--${name}`).trim();
}

/** The next round number: a scale that follows each value would never stand still. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value);
}

const span = () => roundUp(Math.max(1000, ...HALVES.map((half) => tick?.halves[half].at ?? 0)));
const highest = () => {
  const of = ({ sold, offered }) => Math.max(sold, offered);
  return tick ? roundUp(Math.max(10, ...HALVES.map((half) => of(tick.halves[half]))) * 1.08) : 10;
};
const mostWaits = () =>
  tick ? roundUp(Math.max(10, ...HALVES.flatMap((half) => tick.halves[half].waits))) : 10;
const font = () => `11px ${getComputedStyle(document.body).fontFamily}`;
const waitName = (index) =>
  index < WAIT_EDGES.length ? duration(WAIT_EDGES[index], '<') : say('more_', duration(WAIT_EDGES.at(-1)));
const duration = (ms, prefix = '') =>
  `${prefix}${ms < 1000 ? say('milliseconds', ms) : say('seconds', number(ms / 1000))}`;

/** The unit stands at the first number that has it. */
const shortWait = (index) =>
  index === WAIT_EDGES.length
    ? words.longer
    : [0, 6].includes(index)
      ? duration(WAIT_EDGES[index])
      : number(WAIT_EDGES[index] / (index > 6 ? 1000 : 1));

function axis(more) {
  return {
    stroke: () => colours.muted,
    font: font(),
    grid: { stroke: () => colours.rule, width: 1 },
    ticks: { show: false },
    ...more,
  };
}

function makeCharts() {
  for (const half of HALVES) {
    const view = views[half];
    view.sold?.destroy();
    view.waits?.destroy();
    const soldAt = within(half, '.sold-chart');
    const waitsAt = within(half, '.wait-chart');
    const line = half === 'locked' ? () => colours.lock : () => colours.ink;
    view.sold = new uPlot(
      {
        width: soldAt.clientWidth,
        height: soldAt.clientHeight,
        padding: [8, RIGHT, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false, range: () => [0, span()] }, y: { range: () => [0, highest()] } },
        axes: [
          axis({ size: 24, space: 70, values: (_, at) => at.map((ms) => say('seconds', number(ms / 1000))) }),
          axis({
            size: LEFT,
            space: 34,
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
            values: (_, at) => at.map(number),
          }),
        ],
        series: [
          {},
          { stroke: () => colours.muted, width: 1, dash: [4, 4], points: { show: false } },
          { points: { show: false } },
          { stroke: line, width: 2, points: { show: false } },
          { stroke: () => colours.red, width: 2, points: { show: false } },
        ],
        bands: [{ series: [2, 1], fill: () => colours.wash }],
        hooks: { draw: [nameStock] },
      },
      soldData(half),
      soldAt,
    );
    view.waits = new uPlot(
      {
        width: waitsAt.clientWidth,
        height: waitsAt.clientHeight,
        padding: [6, RIGHT, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false, range: () => [-0.5, WAIT_EDGES.length + 0.5] },
          y: { range: () => [0, mostWaits()] },
        },
        axes: [
          axis({
            size: 22,
            grid: { show: false },
            splits: () =>
              [...WAIT_EDGES.keys(), WAIT_EDGES.length].filter(
                (at) => waitsAt.clientWidth > 480 || at % 3 === 0,
              ),
            values: (_, at) => at.map(shortWait),
          }),
          axis({ size: LEFT, space: 26, values: (_, at) => at.map(number) }),
        ],
        series: [
          {},
          {
            stroke: line,
            fill: line,
            width: 0,
            points: { show: false },
            paths: uPlot.paths.bars({ size: [0.7] }),
          },
        ],
      },
      waitData(half),
      waitsAt,
    );
  }
}

/** Writes "stock" at its line. */
function nameStock(chart) {
  const offered = tick?.halves.locked.offered;
  if (!offered) return;
  const { ctx } = chart;
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
  ctx.fillStyle = colours.muted;
  ctx.textAlign = 'right';
  ctx.textBaseline = 'bottom';
  const { left, width } = chart.bbox;
  ctx.fillText(
    `${words.stock} ${number(offered)}`,
    left + width - 4 * devicePixelRatio,
    chart.valToPos(offered, 'y', true) - 3 * devicePixelRatio,
  );
  ctx.restore();
}

function soldData(half) {
  const stock = tick?.halves[half].offered ?? 0;
  const end = Math.max(span(), points[half].at(-1)?.at ?? 0);
  const at = [...points[half].map((point) => point.at), end];
  const sold = points[half].map((point) => point.sold);
  const over = (n) => n !== undefined && n > stock;
  return [
    at,
    at.map(() => stock),
    [...sold.map((n) => Math.max(n, stock)), null],
    [...sold.map((n, i) => (!over(n) || !over(sold[i - 1]) ? n : null)), null],
    [...sold.map((n, i) => (over(n) || over(sold[i + 1]) ? n : null)), null],
  ];
}

function waitData(half) {
  const counts = tick?.halves[half].waits ?? [...WAIT_EDGES.map(() => 0), 0];
  return [counts.map((_, index) => index), counts];
}

/** A row for each process. A piece that is narrower than a pixel is as faint as it is narrow. */
function drawLanes(half) {
  const { canvas, names } = views[half];
  const rows = tick.processes.map(({ name }) => name);
  const context = canvas.getContext('2d');
  const ratio = devicePixelRatio;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, rows.length) * ROW * ratio;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    canvas.style.height = `${height / ratio}px`;
  }
  context.clearRect(0, 0, width, height);
  const plot = width - RIGHT * ratio; // the charts end there, too
  const scale = plot / span();
  const covered = rows.map(() => new Float32Array(Math.ceil(plot) + 1));
  for (const lane of lanes[half]) {
    const row = covered[rows.indexOf(lane.process)];
    if (!row) continue;
    // A process that is frozen believes that it holds the lock, also when Redis has given it to another.
    const frozen = half === 'locked' && tick.incidents.find((one) => isBelief(one, lane));
    const [from, to] = [
      lane.from * scale,
      Math.min(lane.to, frozen ? frozen.at + frozen.nextGrant : Infinity) * scale,
    ];
    for (let x = Math.floor(from); x < to; x += 1) row[x] += Math.min(x + 1, to) - Math.max(x, from);
  }
  for (const [index] of rows.entries()) {
    const top = index * ROW * ratio + 3 * ratio;
    context.globalAlpha = 1;
    context.fillStyle = colours.rule;
    context.fillRect(0, top + (ROW - 7) * ratio, plot, ratio);
    for (let x = 0; x < plot; x += 1) {
      const part = covered[index][x];
      if (part === 0) continue;
      const together = covered.filter((row) => row[x] > 0).length > 1;
      context.fillStyle = half === 'locked' ? colours.lock : together ? colours.red : colours.idle;
      context.globalAlpha = Math.min(1, part);
      context.fillRect(x, top, 1, (ROW - 6) * ratio);
    }
  }
  context.globalAlpha = 1;
  for (const incident of half === 'locked' ? tick.incidents : [])
    drawAccident(context, incident, rows.indexOf(incident.process), scale, plot);
  const holder = tick.processes.find(({ holds }) => holds);
  syncNames(names, half, holder);
  canvas.setAttribute('aria-label', say('laneChart', rows.join(', ')));
}

const isBelief = ({ kind, process, at, nextGrant, woke }, lane) =>
  kind === 'freeze' &&
  process === lane.process &&
  nextGrant !== undefined &&
  lane.to > at + nextGrant &&
  lane.from < (woke ?? Infinity);

/** A box from the accident to its end: it still has the lock, as far as Redis knows, for a part of that time. */
function drawAccident(context, incident, row, scale, plot) {
  const { kind, at } = incident;
  if (row < 0 || (kind !== 'kill' && kind !== 'freeze')) return;
  const ratio = devicePixelRatio;
  const end =
    kind === 'kill'
      ? incident.nextGrant === undefined
        ? tick.halves.locked.at
        : at + incident.nextGrant
      : (incident.woke ?? tick.halves.locked.at);
  const [left, right] = [at * scale, Math.min(plot, end * scale)];
  context.strokeStyle = colours.red;
  context.lineWidth = ratio;
  context.strokeRect(left, (row * ROW + 2.5) * ratio, Math.max(1, right - left), (ROW - 5) * ratio);
  context.font = `${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
  const text = kind === 'kill' ? words.killed : words.frozen;
  // The text stands where the lane is empty: a frozen process fills it until Redis lets another one in.
  const free = kind === 'kill' ? left : (at + (incident.nextGrant ?? Infinity)) * scale;
  if (!(context.measureText(text).width + 10 * ratio <= right - free)) return;
  context.fillStyle = colours.red;
  context.textBaseline = 'middle';
  context.fillText(text, free + 5 * ratio, (row * ROW + ROW / 2) * ratio);
}

function syncNames(names, half, holder) {
  while (names.children.length > tick.processes.length) names.lastChild.remove();
  while (names.children.length < tick.processes.length) {
    const item = document.createElement('li');
    item.innerHTML = '<span class="name"></span><span class="busy"></span>';
    names.append(item);
  }
  tick.processes.forEach((process, index) => {
    const item = names.children[index];
    item.className = [
      half === 'locked' && process === holder && 'holds',
      ['killed', 'frozen'].includes(process.state) && 'gone',
    ]
      .filter(Boolean)
      .join(' ');
    put(item.firstChild, process.name);
    put(item.lastChild, number(half === 'locked' ? process.waiting : process.inside));
  });
}

// ---- numbers

function showHalf(half) {
  const { root, sold, waits } = views[half];
  const state = tick.halves[half];
  const oversold = Math.max(0, state.sold - state.offered);
  root.classList.toggle('over', oversold > 0);
  put(within(half, '.sold'), number(state.sold));
  put(within(half, '.of'), say('of', number(state.offered)));
  const exact =
    !state.running &&
    state.run > 0 &&
    state.answered > 0 &&
    state.offered > 0 &&
    state.sold === state.offered;
  const verdict = within(half, '.verdict');
  verdict.classList.toggle('exact', exact);
  put(verdict, verdictOf(state, oversold, exact));
  put(within(half, '.queue'), number(half === 'locked' ? state.waiting : state.inside));
  put(within(half, '.rate'), say('best', number(state.perSecond), number(state.best)));
  const failures = Object.entries(state.failed).map(
    ([what, n]) => `${number(n)} × ${words[what] ?? `HTTP ${what}`}`,
  );
  const failed = within(half, '.failed');
  put(failed, failures.join(', ') || '0');
  failed.classList.toggle('bad', failures.length > 0);
  const locked = half === 'locked';
  put(within(half, '.grants'), locked ? number(state.grants) : words.noFence);
  put(within(half, '.fence'), !locked || state.fence === 0 ? words.noFence : String(state.fence));
  sold.setData(soldData(half));
  waits.setData(waitData(half));
  within(half, '.sold-chart').setAttribute(
    'aria-label',
    say('chart', number(state.sold), number(state.offered), number(Math.round(state.at / 1000))),
  );
  within(half, '.wait-chart').setAttribute('aria-label', say('waitChart', medianWait(state)));
  drawLanes(half);
}

function verdictOf(state, oversold, exact) {
  if (oversold > 0) return say('oversold', number(oversold));
  if (state.run === 0) return words.waitingForSale;
  if (!state.running && state.answered === 0) return words.next;
  if (state.running) return say('selling', number(state.offered - state.sold));
  return exact ? words.exact : say('under', number(state.offered - state.sold));
}

function medianWait({ waits, answered }) {
  let seen = 0;
  return waitName(
    Math.max(
      0,
      waits.findIndex((n) => (seen += n) * 2 >= answered),
    ),
  ).replace('<', '');
}

function showIncidents() {
  const list = byId('incidents');
  const shown = tick.incidents.slice(-4);
  while (list.children.length > shown.length) list.lastChild.remove();
  while (list.children.length < shown.length) {
    const item = document.createElement('li');
    item.innerHTML = '<span class="when"></span><span class="what"></span>';
    list.append(item);
  }
  shown.forEach((incident, index) => {
    const item = list.children[index];
    put(item.firstChild, say('seconds', number(Number((incident.at / 1000).toFixed(1)))));
    put(item.lastChild, incidentText(incident));
  });
}

function incidentText(incident) {
  const { kind, process, nextGrant, by } = incident;
  const glue = language === 'zh' ? '' : ' ';
  const granted =
    nextGrant === undefined
      ? words.waitsForGrant
      : say('granted', by, number(Math.round(nextGrant)), number(tick.ttl), number(tick.guard));
  if (kind === 'kill') return [say('kill_', process), granted].join(glue);
  if (kind === 'freeze') {
    const { ms, fence, woke, refused, rowFence } = incident;
    const outcome =
      refused > 0
        ? say('refused', number(refused), String(rowFence))
        : woke === undefined
          ? words.stillFrozen
          : tick.running
            ? ''
            : words.notRefused;
    return [say('freeze_', process, number(ms / 1000), String(fence)), granted, outcome].join(glue);
  }
  return say(kind, process);
}

function showControls() {
  const up = tick.processes.filter(({ state }) => state === 'up' || state === 'frozen');
  const present = tick.processes.filter(({ state }) => state !== 'stopping').length;
  put(byId('lead'), say('lead', number(tick.processes.length)));
  put(byId('count'), number(present));
  const { redis, running } = tick;
  for (const button of document.querySelectorAll('[data-buyers]'))
    button.disabled = running || up.length === 0;
  byId('less').disabled = asking || present <= 1 || !redis.up;
  byId('more').disabled = asking || present >= 6 || !redis.up;
  for (const id of ['kill', 'freeze']) byId(id).disabled = asking || up.length < 2 || !redis.up;
  const power = byId('redis');
  put(power, redis.up ? words.stopRedis : words.startRedis);
  power.disabled = asking || !redis.stoppable;
  power.title = redis.stoppable ? '' : words['redis-not-ours'];
}

function show() {
  dirty = false;
  const failure = /^\d+$/.test(refusal) ? say('serverError', refusal) : refusal && words[refusal];
  put(byId('notice'), offline ? words.offline : failure || '');
  if (!tick) return;
  showControls();
  for (const half of HALVES) showHalf(half);
  showIncidents();
  document.body.dataset.sale = String(tick.sale);
  document.body.dataset.running = String(tick.running);
}

function soon() {
  if (dirty) return;
  dirty = true;
  requestAnimationFrame(show);
}

// ---- the demo

async function ask(path, body = {}) {
  asking = true;
  refusal = '';
  soon();
  try {
    const response = await fetch(`/live/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) {
      const { reason } = await response.json().catch(() => ({}));
      refusal = words[reason] ? reason : String(response.status);
    }
  } catch {
    offline = true;
  }
  asking = false;
  soon();
}

const source = new EventSource('/live/ticks');
source.onmessage = ({ data }) => {
  tick = JSON.parse(data);
  for (const half of HALVES) {
    const { run } = tick.halves[half];
    if (run !== runs[half]) [runs[half], points[half], lanes[half]] = [run, [], []];
    // Pieces that came before are not taken twice: they end no later than the last one of their process.
    const last = points[half].at(-1)?.at ?? -1;
    const ends = {};
    for (const { process, to } of lanes[half]) ends[process] = Math.max(ends[process] ?? 0, to);
    points[half].push(...tick.points.filter((point) => point.half === half && point.at > last));
    lanes[half].push(
      ...tick.lanes.filter((lane) => lane.half === half && lane.to > (ends[lane.process] ?? 0)),
    );
  }
  offline = false;
  soon();
};
source.onerror = () => {
  offline = true;
  soon();
};
// A page that is left would report its broken stream.
addEventListener('pagehide', () => source.close());

for (const button of document.querySelectorAll('[data-buyers]'))
  button.addEventListener('click', () => ask('sales', { buyers: Number(button.dataset.buyers) }));
for (const [id, more] of [
  ['less', -1],
  ['more', 1],
])
  byId(id).addEventListener('click', () =>
    ask('processes', { count: tick.processes.filter(({ state }) => state !== 'stopping').length + more }),
  );
byId('kill').addEventListener('click', () => ask('kill'));
byId('freeze').addEventListener('click', () => ask('freeze'));
byId('redis').addEventListener('click', () => ask('redis', { running: !tick.redis.up }));
for (const button of document.querySelectorAll('[data-language]'))
  button.addEventListener('click', () => {
    language = button.dataset.language;
    localStorage.setItem('language', language);
    speak();
    makeCharts();
    soon();
  });

readColours();
speak();
makeCharts();
let resized;
addEventListener('resize', () => {
  clearTimeout(resized);
  resized = setTimeout(() => (makeCharts(), soon()), 100);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  readColours();
  makeCharts();
  soon();
});
soon();
