// Made from scripts/*.lua by `npm run lua`.
export const SCRIPTS = {
  acquire: `
local key, id = KEYS[1], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if ARGV[13] ~= '' and now > tonumber(ARGV[13]) then
return { 'late', now }
end
local r = redis.call('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive', 'done')
if r[1] ~= '1' then
if r[1] then
return redis.error_reply('LOCKNEWER ' .. r[1])
end
if redis.call('EXISTS', key) == 1 then
return redis.error_reply('LOCKFOREIGN')
end
end
local fenceMemory = tonumber(ARGV[1])
local units, ttl, guard, block = tonumber(ARGV[5]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
if (not r[4] or r[4] == '') and not r[8] and r[5] ~= id then
local first = math.max(tonumber(r[3] or 0) + 1, now)
local last = first + (ARGV[5] == ARGV[6] and block or 1) - 1
local deadline, done = now + ttl + guard, tonumber(r[10] or 0)
local fields = '%.0f %s %.0f %.0f 0'
redis.call('HSET', key, 'v', '1', 'capacity', ARGV[6], 'fence', string.format('%.0f', last), 'ids', id,
'h:' .. id, string.format(fields, deadline, ARGV[5], last, ttl + guard),
'i:' .. id, string.format('%.0f %.0f %s', first, now, ARGV[12]))
redis.call('PEXPIREAT', key, string.format('%.0f', math.ceil((math.max(deadline, done, last) + fenceMemory) / 1000)))
return { 'granted', now, first, last, 0, done > now and 1 or 0 }
end
local SIGN_OF_LIFE, CLAIM_WINDOW = 15000000, 2000000
local capacity, fence = tonumber(r[2] or 0), tonumber(r[3] or 0)
local released = r[5] or ''
local first, next, count = tonumber(r[6] or 1), tonumber(r[7] or 1), tonumber(r[8] or 0)
local alive, done = tonumber(r[9] or 0), tonumber(r[10] or 0)
local ids, holders, used, dirty = {}, {}, 0, false
local function text(number)
return string.format('%.0f', number)
end
for each in string.gmatch(r[4] or '', '%S+') do
ids[#ids + 1] = each
local deadline, units, last, span, flags =
string.match(redis.call('HGET', key, 'h:' .. each), '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
flags = tonumber(flags)
holders[each] = {
deadline = tonumber(deadline),
units = tonumber(units),
last = tonumber(last),
span = tonumber(span),
told = flags % 2 == 1,
revoked = flags % 4 > 1,
kept = flags > 3,
}
used = used + units
end
local function put(each)
local h = holders[each]
local flags = (h.told and 1 or 0) + (h.revoked and 2 or 0) + (h.kept and 4 or 0)
local line = '%.0f %.0f %.0f %.0f %d'
redis.call('HSET', key, 'h:' .. each, string.format(line, h.deadline, h.units, h.last, h.span, flags))
dirty = true
end
local function drop(each)
redis.call('HDEL', key, 'h:' .. each, 'i:' .. each)
used = used - holders[each].units
holders[each] = nil
for place, other in ipairs(ids) do
if other == each then
table.remove(ids, place)
break
end
end
dirty = true
end
local function expire()
for place = #ids, 1, -1 do
local each = ids[place]
local h = holders[each]
if h.deadline > now + h.span then
h.deadline = now + h.span
put(each)
end
if h.deadline <= now then
drop(each)
end
end
end
local function extend(h, span)
h.deadline = math.max(h.deadline, now + span)
h.span = h.deadline - now
end
local function commit()
dirty = false
local latest = math.max(now, done, fence)
for _, each in ipairs(ids) do
latest = math.max(latest, holders[each].deadline)
end
if count > 0 then
latest = math.max(latest, alive)
end
if latest == now and fenceMemory == 0 then
redis.call('DEL', key)
return
end
if count == 0 then
first, next, alive = 1, 1, 0
redis.call('HDEL', key, 'first', 'next', 'count', 'alive')
else
redis.call('HSET', key, 'first', first, 'next', next, 'count', count, 'alive', text(alive))
end
redis.call('HSET', key, 'v', '1', 'capacity', text(capacity), 'fence', text(fence),
'ids', table.concat(ids, ' '), 'released', released, 'done', text(done))
redis.call('PEXPIREAT', key, text(math.ceil((latest + fenceMemory) / 1000)))
end
local function push(to, notice)
if dirty then
commit()
end
local heard = redis.pcall('PUBLISH', ARGV[2] .. string.match(to, '^[^.]*'), notice .. ' ' .. key)
return heard ~= 0 or ARGV[3] ~= '1'
end
local function waiterAt(seq)
local raw = redis.call('HGET', key, 'q:' .. seq)
if not raw then
return nil
end
local w = { seq = seq }
local units, ttl, guard, block, until_, alive_
w.id, units, ttl, guard, block, until_, alive_, w.subscribed, w.since, w.who =
string.match(raw, '^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d) (%d+) (.*)$')
w.units, w.ttl, w.guard, w.block = tonumber(units), tonumber(ttl), tonumber(guard), tonumber(block)
w.until_, w.alive = tonumber(until_), tonumber(alive_)
return w
end
local function putWaiter(w)
redis.call('HSET', key, 'q:' .. w.seq, string.format('%s %.0f %.0f %.0f %.0f %.0f %.0f %s %s %s', w.id,
w.units, w.ttl, w.guard, w.block, w.until_, w.alive, w.subscribed, w.since, w.who))
dirty = true
end
local function dequeue(w)
redis.call('HDEL', key, 'q:' .. w.seq, 'w:' .. w.id)
count = count - 1
if count == 0 then
first, next, alive = 1, 1, 0
end
dirty = true
end
local function grant(w, span)
local from = math.max(fence + 1, now)
fence = from + (w.units == capacity and math.min(w.block, span) or 1) - 1
holders[w.id] = { deadline = now + span + w.guard, units = w.units, last = fence, span = w.ttl + w.guard,
told = count > 0, revoked = false, kept = false, first = from }
ids[#ids + 1] = w.id
used = used + w.units
put(w.id)
redis.call('HSET', key, 'i:' .. w.id, string.format('%.0f %.0f %s', from, now, w.who))
return holders[w.id]
end
local function flag(truth)
return truth and 1 or 0
end
local function grantByNotice(w)
local span = math.min(CLAIM_WINDOW, w.ttl)
local before = fence
local h = grant(w, span)
if w.subscribed == '1' and not push(w.id, string.format('g %s %.0f %.0f %.0f %.0f %d %d', w.id, h.first,
h.last, now + span, span, flag(h.told), flag(done > now))) then
drop(w.id) -- nobody heard: its process is gone
fence = before
end
end
local function grantHeads(caller)
while count > 0 do
local head = waiterAt(first)
if not head then
first = first + 1 -- that one left the queue
dirty = true
else
local alive_ = math.min(head.alive, now + SIGN_OF_LIFE)
if head.until_ <= now or alive_ <= now then
dequeue(head)
else
if alive_ < head.alive then
head.alive = alive_
putWaiter(head)
end
if used + head.units > capacity then
return
end
dequeue(head)
if head.id == caller then
grant(head, head.ttl)
else
grantByNotice(head)
end
end
end
end
end
local function giveBack(h, firstFence, lastUsed)
local last = math.min(h.last, math.max(lastUsed, firstFence - 1))
if fence == h.last then
fence = last
end
h.last = last
end
local function firstFenceOf(each)
return tonumber(string.match(redis.call('HGET', key, 'i:' .. each), '^%d+'))
end
local wait = tonumber(ARGV[10])
local seq = redis.call('HGET', key, 'w:' .. id)
if seq then
redis.call('PERSIST', key)
local mine = waiterAt(seq)
alive = math.max(alive, now + SIGN_OF_LIFE)
mine.alive, mine.until_, mine.subscribed = alive, math.max(mine.until_, now + wait), ARGV[11]
putWaiter(mine)
end
expire()
grantHeads(id)
local function granted(each)
local h = holders[each]
h.told = count > 0
put(each)
commit()
return { 'granted', now, firstFenceOf(each), h.last, flag(h.told), flag(done > now) }
end
local function present()
local due = math.huge
for _, each in ipairs(ids) do
due = math.min(due, holders[each].deadline)
end
return due, string.match(redis.call('HGET', key, 'i:' .. ids[1]), '^%d+ %d+ (.*)$')
end
local function queued()
local seq_ = redis.call('HGET', key, 'w:' .. id)
if not seq_ then
commit()
return { 'gone', now }
end
local mine = waiterAt(seq_)
local heard = mine.subscribed ~= '1' or push(id, 'e ' .. id)
if not heard then
mine.subscribed = '0'
putWaiter(mine)
end
if dirty then
commit()
end
return { 'queued', now, mine.seq - first, flag(heard), present() }
end
local h = holders[id]
if h then
if h.kept or h.revoked then
commit()
return { 'gone', now }
end
extend(h, ttl + guard)
return granted(id)
end
if id == released then
commit()
return { 'gone', now }
end
if seq then
return queued()
end
if #ids == 0 and count == 0 then
capacity = tonumber(ARGV[6])
elseif capacity ~= tonumber(ARGV[6]) then
if dirty then
commit()
end
return { 'mismatch', now, capacity }
end
local request = { id = id, units = units, ttl = ttl, guard = guard, block = block, who = ARGV[12] }
if count == 0 and used + units <= capacity then
grant(request, ttl)
return granted(id)
end
if wait == 0 then
if dirty then
commit()
end
return { 'busy', now, present() }
end
request.seq, request.until_, request.alive = next, now + wait, now + SIGN_OF_LIFE
request.subscribed, request.since = ARGV[11], text(now)
putWaiter(request)
redis.call('HSET', key, 'w:' .. id, next)
next, count, alive = next + 1, count + 1, math.max(alive, request.alive)
for _, each in ipairs(ids) do
local holder = holders[each]
if holder.units == capacity and not holder.told then
holder.told = true
put(each)
push(each, 'c ' .. each)
break
end
end
return queued()
`,
  downgrade: `
local key, id = KEYS[1], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local r = redis.call('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive', 'done')
if r[1] ~= '1' then
if r[1] then
return redis.error_reply('LOCKNEWER ' .. r[1])
end
if redis.call('EXISTS', key) == 1 then
return redis.error_reply('LOCKFOREIGN')
end
end
if not r[1] then
return { 'lost', now }
end
local fenceMemory = tonumber(ARGV[1])
local SIGN_OF_LIFE, CLAIM_WINDOW = 15000000, 2000000
local capacity, fence = tonumber(r[2] or 0), tonumber(r[3] or 0)
local released = r[5] or ''
local first, next, count = tonumber(r[6] or 1), tonumber(r[7] or 1), tonumber(r[8] or 0)
local alive, done = tonumber(r[9] or 0), tonumber(r[10] or 0)
local ids, holders, used, dirty = {}, {}, 0, false
local function text(number)
return string.format('%.0f', number)
end
for each in string.gmatch(r[4] or '', '%S+') do
ids[#ids + 1] = each
local deadline, units, last, span, flags =
string.match(redis.call('HGET', key, 'h:' .. each), '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
flags = tonumber(flags)
holders[each] = {
deadline = tonumber(deadline),
units = tonumber(units),
last = tonumber(last),
span = tonumber(span),
told = flags % 2 == 1,
revoked = flags % 4 > 1,
kept = flags > 3,
}
used = used + units
end
local function put(each)
local h = holders[each]
local flags = (h.told and 1 or 0) + (h.revoked and 2 or 0) + (h.kept and 4 or 0)
local line = '%.0f %.0f %.0f %.0f %d'
redis.call('HSET', key, 'h:' .. each, string.format(line, h.deadline, h.units, h.last, h.span, flags))
dirty = true
end
local function drop(each)
redis.call('HDEL', key, 'h:' .. each, 'i:' .. each)
used = used - holders[each].units
holders[each] = nil
for place, other in ipairs(ids) do
if other == each then
table.remove(ids, place)
break
end
end
dirty = true
end
local function expire()
for place = #ids, 1, -1 do
local each = ids[place]
local h = holders[each]
if h.deadline > now + h.span then
h.deadline = now + h.span
put(each)
end
if h.deadline <= now then
drop(each)
end
end
end
local function extend(h, span)
h.deadline = math.max(h.deadline, now + span)
h.span = h.deadline - now
end
local function commit()
dirty = false
local latest = math.max(now, done, fence)
for _, each in ipairs(ids) do
latest = math.max(latest, holders[each].deadline)
end
if count > 0 then
latest = math.max(latest, alive)
end
if latest == now and fenceMemory == 0 then
redis.call('DEL', key)
return
end
if count == 0 then
first, next, alive = 1, 1, 0
redis.call('HDEL', key, 'first', 'next', 'count', 'alive')
else
redis.call('HSET', key, 'first', first, 'next', next, 'count', count, 'alive', text(alive))
end
redis.call('HSET', key, 'v', '1', 'capacity', text(capacity), 'fence', text(fence),
'ids', table.concat(ids, ' '), 'released', released, 'done', text(done))
redis.call('PEXPIREAT', key, text(math.ceil((latest + fenceMemory) / 1000)))
end
local function push(to, notice)
if dirty then
commit()
end
local heard = redis.pcall('PUBLISH', ARGV[2] .. string.match(to, '^[^.]*'), notice .. ' ' .. key)
return heard ~= 0 or ARGV[3] ~= '1'
end
local function waiterAt(seq)
local raw = redis.call('HGET', key, 'q:' .. seq)
if not raw then
return nil
end
local w = { seq = seq }
local units, ttl, guard, block, until_, alive_
w.id, units, ttl, guard, block, until_, alive_, w.subscribed, w.since, w.who =
string.match(raw, '^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d) (%d+) (.*)$')
w.units, w.ttl, w.guard, w.block = tonumber(units), tonumber(ttl), tonumber(guard), tonumber(block)
w.until_, w.alive = tonumber(until_), tonumber(alive_)
return w
end
local function putWaiter(w)
redis.call('HSET', key, 'q:' .. w.seq, string.format('%s %.0f %.0f %.0f %.0f %.0f %.0f %s %s %s', w.id,
w.units, w.ttl, w.guard, w.block, w.until_, w.alive, w.subscribed, w.since, w.who))
dirty = true
end
local function dequeue(w)
redis.call('HDEL', key, 'q:' .. w.seq, 'w:' .. w.id)
count = count - 1
if count == 0 then
first, next, alive = 1, 1, 0
end
dirty = true
end
local function grant(w, span)
local from = math.max(fence + 1, now)
fence = from + (w.units == capacity and math.min(w.block, span) or 1) - 1
holders[w.id] = { deadline = now + span + w.guard, units = w.units, last = fence, span = w.ttl + w.guard,
told = count > 0, revoked = false, kept = false, first = from }
ids[#ids + 1] = w.id
used = used + w.units
put(w.id)
redis.call('HSET', key, 'i:' .. w.id, string.format('%.0f %.0f %s', from, now, w.who))
return holders[w.id]
end
local function flag(truth)
return truth and 1 or 0
end
local function grantByNotice(w)
local span = math.min(CLAIM_WINDOW, w.ttl)
local before = fence
local h = grant(w, span)
if w.subscribed == '1' and not push(w.id, string.format('g %s %.0f %.0f %.0f %.0f %d %d', w.id, h.first,
h.last, now + span, span, flag(h.told), flag(done > now))) then
drop(w.id) -- nobody heard: its process is gone
fence = before
end
end
local function grantHeads(caller)
while count > 0 do
local head = waiterAt(first)
if not head then
first = first + 1 -- that one left the queue
dirty = true
else
local alive_ = math.min(head.alive, now + SIGN_OF_LIFE)
if head.until_ <= now or alive_ <= now then
dequeue(head)
else
if alive_ < head.alive then
head.alive = alive_
putWaiter(head)
end
if used + head.units > capacity then
return
end
dequeue(head)
if head.id == caller then
grant(head, head.ttl)
else
grantByNotice(head)
end
end
end
end
end
local function giveBack(h, firstFence, lastUsed)
local last = math.min(h.last, math.max(lastUsed, firstFence - 1))
if fence == h.last then
fence = last
end
h.last = last
end
local function firstFenceOf(each)
return tonumber(string.match(redis.call('HGET', key, 'i:' .. each), '^%d+'))
end
redis.call('PERSIST', key) -- a write that a full server allows; the commit sets the expiry again
expire()
local h = holders[id]
local units = tonumber(ARGV[5])
if h and not h.kept and h.units > units then
giveBack(h, firstFenceOf(id), tonumber(ARGV[6]))
used = used - h.units + units
h.units = units
put(id)
end
grantHeads('')
commit()
return { (h and not h.kept) and 'downgraded' or 'lost', now }
`,
  inspect: `
local time = redis.call('TIME')
local record = redis.call('HGETALL', KEYS[1])
table.insert(record, 1, time[1] * 1000000 + time[2])
return record
`,
  latch: `
local key, kind = KEYS[1], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local SIGN_OF_LIFE = 15000000
local r = redis.call('HMGET', key, 'latch', 'count', 'until')
if r[1] ~= '1' then
if r[1] then
return redis.error_reply('LOCKNEWER ' .. r[1])
end
if redis.call('EXISTS', key) == 1 then
return redis.error_reply('LOCKFOREIGN')
end
end
local count, expiry = tonumber(r[2] or nil), tonumber(r[3] or 0)
local watchers, latest = {}, 0
if r[1] then
local fields = redis.call('HGETALL', key)
local gone = {}
local over = count and expiry <= now
for at = 1, #fields, 2 do
local tag, id = string.sub(fields[at], 1, 2), string.sub(fields[at], 3)
if tag == 'w:' then
local alive = tonumber(fields[at + 1])
if alive <= now then
gone[#gone + 1] = fields[at]
else
watchers[#watchers + 1] = id
latest = math.max(latest, alive)
end
elseif tag == 'd:' and over then
gone[#gone + 1] = fields[at]
end
end
if over then
gone[#gone + 1] = 'count'
gone[#gone + 1] = 'until'
count, expiry = nil, 0
end
for _, field in ipairs(gone) do
redis.call('HDEL', key, field)
end
end
local outcome
if kind == 'set' and not count then
outcome, count, expiry = 'set', tonumber(ARGV[5]), now + ARGV[6]
redis.call('HSET', key, 'latch', '1', 'count', count, 'until', string.format('%.0f', expiry))
elseif kind == 'watch' then
latest = now + SIGN_OF_LIFE
redis.call('HSET', key, 'latch', '1', 'w:' .. ARGV[5], string.format('%.0f', latest))
elseif kind == 'unwatch' then
redis.call('HDEL', key, 'w:' .. ARGV[5])
elseif kind == 'down' and count and count > 0 and redis.call('HSETNX', key, 'd:' .. ARGV[5], '1') == 1 then
count = count - 1
redis.call('HSET', key, 'count', count)
if count == 0 then
for _, id in ipairs(watchers) do
redis.call('HDEL', key, 'w:' .. id)
end
latest = 0
for _, id in ipairs(watchers) do
redis.pcall('PUBLISH', ARGV[2] .. string.match(id, '^[^.]*'), 'o ' .. id .. ' ' .. key)
end
end
end
latest = math.max(latest, count and expiry or 0)
if latest > now then
redis.call('PEXPIREAT', key, string.format('%.0f', math.ceil(latest / 1000)))
else
redis.call('DEL', key)
end
if not count then
return { 'missing', now, 0, 0 }
end
return { outcome or (kind == 'set' and 'exists') or (count == 0 and 'open') or 'counting', now, count, expiry }
`,
  release: `
local key, id = KEYS[1], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local r = redis.call('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive', 'done',
'h:' .. id, 'i:' .. id)
if r[1] ~= '1' then
if r[1] then
return redis.error_reply('LOCKNEWER ' .. r[1])
end
if redis.call('EXISTS', key) == 1 then
return redis.error_reply('LOCKFOREIGN')
end
end
if not r[1] then
return { 'gone', now }
end
local fenceMemory = tonumber(ARGV[1])
if r[4] == id and not r[8] and ARGV[6] == '0' and ARGV[7] == '0' then
local deadline, units, last = string.match(r[11], '^(%d+) (%d+) (%d+) ')
if tonumber(deadline) > now and units == r[2] then
local fence = tonumber(r[3])
if r[3] == last then
fence = math.min(fence, math.max(tonumber(ARGV[5]), string.match(r[12], '^%d+') - 1))
end
local latest = math.max(now, tonumber(r[10] or 0), fence)
if fenceMemory == 0 and latest == now then
redis.call('DEL', key)
return { 'released', now }
end
redis.call('PEXPIREAT', key, string.format('%.0f', math.ceil((latest + fenceMemory) / 1000)))
redis.call('HDEL', key, 'ids', 'h:' .. id, 'i:' .. id)
redis.call('HSET', key, 'fence', string.format('%.0f', fence), 'released', id)
return { 'released', now }
end
end
local SIGN_OF_LIFE, CLAIM_WINDOW = 15000000, 2000000
local capacity, fence = tonumber(r[2] or 0), tonumber(r[3] or 0)
local released = r[5] or ''
local first, next, count = tonumber(r[6] or 1), tonumber(r[7] or 1), tonumber(r[8] or 0)
local alive, done = tonumber(r[9] or 0), tonumber(r[10] or 0)
local ids, holders, used, dirty = {}, {}, 0, false
local function text(number)
return string.format('%.0f', number)
end
for each in string.gmatch(r[4] or '', '%S+') do
ids[#ids + 1] = each
local deadline, units, last, span, flags =
string.match(redis.call('HGET', key, 'h:' .. each), '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
flags = tonumber(flags)
holders[each] = {
deadline = tonumber(deadline),
units = tonumber(units),
last = tonumber(last),
span = tonumber(span),
told = flags % 2 == 1,
revoked = flags % 4 > 1,
kept = flags > 3,
}
used = used + units
end
local function put(each)
local h = holders[each]
local flags = (h.told and 1 or 0) + (h.revoked and 2 or 0) + (h.kept and 4 or 0)
local line = '%.0f %.0f %.0f %.0f %d'
redis.call('HSET', key, 'h:' .. each, string.format(line, h.deadline, h.units, h.last, h.span, flags))
dirty = true
end
local function drop(each)
redis.call('HDEL', key, 'h:' .. each, 'i:' .. each)
used = used - holders[each].units
holders[each] = nil
for place, other in ipairs(ids) do
if other == each then
table.remove(ids, place)
break
end
end
dirty = true
end
local function expire()
for place = #ids, 1, -1 do
local each = ids[place]
local h = holders[each]
if h.deadline > now + h.span then
h.deadline = now + h.span
put(each)
end
if h.deadline <= now then
drop(each)
end
end
end
local function extend(h, span)
h.deadline = math.max(h.deadline, now + span)
h.span = h.deadline - now
end
local function commit()
dirty = false
local latest = math.max(now, done, fence)
for _, each in ipairs(ids) do
latest = math.max(latest, holders[each].deadline)
end
if count > 0 then
latest = math.max(latest, alive)
end
if latest == now and fenceMemory == 0 then
redis.call('DEL', key)
return
end
if count == 0 then
first, next, alive = 1, 1, 0
redis.call('HDEL', key, 'first', 'next', 'count', 'alive')
else
redis.call('HSET', key, 'first', first, 'next', next, 'count', count, 'alive', text(alive))
end
redis.call('HSET', key, 'v', '1', 'capacity', text(capacity), 'fence', text(fence),
'ids', table.concat(ids, ' '), 'released', released, 'done', text(done))
redis.call('PEXPIREAT', key, text(math.ceil((latest + fenceMemory) / 1000)))
end
local function push(to, notice)
if dirty then
commit()
end
local heard = redis.pcall('PUBLISH', ARGV[2] .. string.match(to, '^[^.]*'), notice .. ' ' .. key)
return heard ~= 0 or ARGV[3] ~= '1'
end
local function waiterAt(seq)
local raw = redis.call('HGET', key, 'q:' .. seq)
if not raw then
return nil
end
local w = { seq = seq }
local units, ttl, guard, block, until_, alive_
w.id, units, ttl, guard, block, until_, alive_, w.subscribed, w.since, w.who =
string.match(raw, '^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d) (%d+) (.*)$')
w.units, w.ttl, w.guard, w.block = tonumber(units), tonumber(ttl), tonumber(guard), tonumber(block)
w.until_, w.alive = tonumber(until_), tonumber(alive_)
return w
end
local function putWaiter(w)
redis.call('HSET', key, 'q:' .. w.seq, string.format('%s %.0f %.0f %.0f %.0f %.0f %.0f %s %s %s', w.id,
w.units, w.ttl, w.guard, w.block, w.until_, w.alive, w.subscribed, w.since, w.who))
dirty = true
end
local function dequeue(w)
redis.call('HDEL', key, 'q:' .. w.seq, 'w:' .. w.id)
count = count - 1
if count == 0 then
first, next, alive = 1, 1, 0
end
dirty = true
end
local function grant(w, span)
local from = math.max(fence + 1, now)
fence = from + (w.units == capacity and math.min(w.block, span) or 1) - 1
holders[w.id] = { deadline = now + span + w.guard, units = w.units, last = fence, span = w.ttl + w.guard,
told = count > 0, revoked = false, kept = false, first = from }
ids[#ids + 1] = w.id
used = used + w.units
put(w.id)
redis.call('HSET', key, 'i:' .. w.id, string.format('%.0f %.0f %s', from, now, w.who))
return holders[w.id]
end
local function flag(truth)
return truth and 1 or 0
end
local function grantByNotice(w)
local span = math.min(CLAIM_WINDOW, w.ttl)
local before = fence
local h = grant(w, span)
if w.subscribed == '1' and not push(w.id, string.format('g %s %.0f %.0f %.0f %.0f %d %d', w.id, h.first,
h.last, now + span, span, flag(h.told), flag(done > now))) then
drop(w.id) -- nobody heard: its process is gone
fence = before
end
end
local function grantHeads(caller)
while count > 0 do
local head = waiterAt(first)
if not head then
first = first + 1 -- that one left the queue
dirty = true
else
local alive_ = math.min(head.alive, now + SIGN_OF_LIFE)
if head.until_ <= now or alive_ <= now then
dequeue(head)
else
if alive_ < head.alive then
head.alive = alive_
putWaiter(head)
end
if used + head.units > capacity then
return
end
dequeue(head)
if head.id == caller then
grant(head, head.ttl)
else
grantByNotice(head)
end
end
end
end
end
local function giveBack(h, firstFence, lastUsed)
local last = math.min(h.last, math.max(lastUsed, firstFence - 1))
if fence == h.last then
fence = last
end
h.last = last
end
local function firstFenceOf(each)
return tonumber(string.match(redis.call('HGET', key, 'i:' .. each), '^%d+'))
end
redis.call('PERSIST', key) -- a write that a full server allows; the commit sets the expiry again
expire()
local outcome = 'gone'
local h = holders[id]
if h then
local keep = tonumber(ARGV[6])
giveBack(h, firstFenceOf(id), tonumber(ARGV[5]))
released = id
if keep > 0 then
h.kept = true
h.deadline = math.min(h.deadline, now + keep)
put(id)
else
drop(id)
end
if ARGV[7] ~= '0' then
done = now + ARGV[7]
end
outcome = 'released'
else
local seq = redis.call('HGET', key, 'w:' .. id)
if seq then
dequeue(waiterAt(seq))
outcome = 'dequeued'
elseif released == id then
outcome = 'released'
if ARGV[7] ~= '0' then
done = now + ARGV[7]
end
end
end
grantHeads('')
commit()
return { outcome, now }
`,
  renew: `
local key, id = KEYS[1], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if ARGV[9] ~= '' and now > tonumber(ARGV[9]) then
return { 'late', now }
end
local r = redis.call('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive', 'done',
'h:' .. id)
if r[1] ~= '1' then
if r[1] then
return redis.error_reply('LOCKNEWER ' .. r[1])
end
if redis.call('EXISTS', key) == 1 then
return redis.error_reply('LOCKFOREIGN')
end
end
if not r[1] then
return { 'lost', now }
end
local fenceMemory, span = tonumber(ARGV[1]), ARGV[5] + ARGV[6]
local block, lastUsed = tonumber(ARGV[7]), tonumber(ARGV[8])
if r[4] == id and not r[8] then
local deadline, units, last, before, flags = string.match(r[11], '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
deadline, last = tonumber(deadline), tonumber(last)
if flags == '0' and deadline > now and deadline <= now + before then
local fence = tonumber(r[3])
if units == r[2] and last == fence then
last = math.max(last, lastUsed + block)
fence = last
end
deadline = math.max(deadline, now + span)
redis.call('PEXPIREAT', key,
string.format('%.0f', math.ceil((math.max(deadline, tonumber(r[10] or 0), fence) + fenceMemory) / 1000)))
redis.call('HSET', key, 'fence', string.format('%.0f', fence),
'h:' .. id, string.format('%.0f %s %.0f %.0f 0', deadline, units, last, deadline - now))
return { 'renewed', now, last, 0 }
end
end
local SIGN_OF_LIFE, CLAIM_WINDOW = 15000000, 2000000
local capacity, fence = tonumber(r[2] or 0), tonumber(r[3] or 0)
local released = r[5] or ''
local first, next, count = tonumber(r[6] or 1), tonumber(r[7] or 1), tonumber(r[8] or 0)
local alive, done = tonumber(r[9] or 0), tonumber(r[10] or 0)
local ids, holders, used, dirty = {}, {}, 0, false
local function text(number)
return string.format('%.0f', number)
end
for each in string.gmatch(r[4] or '', '%S+') do
ids[#ids + 1] = each
local deadline, units, last, span, flags =
string.match(redis.call('HGET', key, 'h:' .. each), '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
flags = tonumber(flags)
holders[each] = {
deadline = tonumber(deadline),
units = tonumber(units),
last = tonumber(last),
span = tonumber(span),
told = flags % 2 == 1,
revoked = flags % 4 > 1,
kept = flags > 3,
}
used = used + units
end
local function put(each)
local h = holders[each]
local flags = (h.told and 1 or 0) + (h.revoked and 2 or 0) + (h.kept and 4 or 0)
local line = '%.0f %.0f %.0f %.0f %d'
redis.call('HSET', key, 'h:' .. each, string.format(line, h.deadline, h.units, h.last, h.span, flags))
dirty = true
end
local function drop(each)
redis.call('HDEL', key, 'h:' .. each, 'i:' .. each)
used = used - holders[each].units
holders[each] = nil
for place, other in ipairs(ids) do
if other == each then
table.remove(ids, place)
break
end
end
dirty = true
end
local function expire()
for place = #ids, 1, -1 do
local each = ids[place]
local h = holders[each]
if h.deadline > now + h.span then
h.deadline = now + h.span
put(each)
end
if h.deadline <= now then
drop(each)
end
end
end
local function extend(h, span)
h.deadline = math.max(h.deadline, now + span)
h.span = h.deadline - now
end
local function commit()
dirty = false
local latest = math.max(now, done, fence)
for _, each in ipairs(ids) do
latest = math.max(latest, holders[each].deadline)
end
if count > 0 then
latest = math.max(latest, alive)
end
if latest == now and fenceMemory == 0 then
redis.call('DEL', key)
return
end
if count == 0 then
first, next, alive = 1, 1, 0
redis.call('HDEL', key, 'first', 'next', 'count', 'alive')
else
redis.call('HSET', key, 'first', first, 'next', next, 'count', count, 'alive', text(alive))
end
redis.call('HSET', key, 'v', '1', 'capacity', text(capacity), 'fence', text(fence),
'ids', table.concat(ids, ' '), 'released', released, 'done', text(done))
redis.call('PEXPIREAT', key, text(math.ceil((latest + fenceMemory) / 1000)))
end
local function push(to, notice)
if dirty then
commit()
end
local heard = redis.pcall('PUBLISH', ARGV[2] .. string.match(to, '^[^.]*'), notice .. ' ' .. key)
return heard ~= 0 or ARGV[3] ~= '1'
end
local function waiterAt(seq)
local raw = redis.call('HGET', key, 'q:' .. seq)
if not raw then
return nil
end
local w = { seq = seq }
local units, ttl, guard, block, until_, alive_
w.id, units, ttl, guard, block, until_, alive_, w.subscribed, w.since, w.who =
string.match(raw, '^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d) (%d+) (.*)$')
w.units, w.ttl, w.guard, w.block = tonumber(units), tonumber(ttl), tonumber(guard), tonumber(block)
w.until_, w.alive = tonumber(until_), tonumber(alive_)
return w
end
local function putWaiter(w)
redis.call('HSET', key, 'q:' .. w.seq, string.format('%s %.0f %.0f %.0f %.0f %.0f %.0f %s %s %s', w.id,
w.units, w.ttl, w.guard, w.block, w.until_, w.alive, w.subscribed, w.since, w.who))
dirty = true
end
local function dequeue(w)
redis.call('HDEL', key, 'q:' .. w.seq, 'w:' .. w.id)
count = count - 1
if count == 0 then
first, next, alive = 1, 1, 0
end
dirty = true
end
local function grant(w, span)
local from = math.max(fence + 1, now)
fence = from + (w.units == capacity and math.min(w.block, span) or 1) - 1
holders[w.id] = { deadline = now + span + w.guard, units = w.units, last = fence, span = w.ttl + w.guard,
told = count > 0, revoked = false, kept = false, first = from }
ids[#ids + 1] = w.id
used = used + w.units
put(w.id)
redis.call('HSET', key, 'i:' .. w.id, string.format('%.0f %.0f %s', from, now, w.who))
return holders[w.id]
end
local function flag(truth)
return truth and 1 or 0
end
local function grantByNotice(w)
local span = math.min(CLAIM_WINDOW, w.ttl)
local before = fence
local h = grant(w, span)
if w.subscribed == '1' and not push(w.id, string.format('g %s %.0f %.0f %.0f %.0f %d %d', w.id, h.first,
h.last, now + span, span, flag(h.told), flag(done > now))) then
drop(w.id) -- nobody heard: its process is gone
fence = before
end
end
local function grantHeads(caller)
while count > 0 do
local head = waiterAt(first)
if not head then
first = first + 1 -- that one left the queue
dirty = true
else
local alive_ = math.min(head.alive, now + SIGN_OF_LIFE)
if head.until_ <= now or alive_ <= now then
dequeue(head)
else
if alive_ < head.alive then
head.alive = alive_
putWaiter(head)
end
if used + head.units > capacity then
return
end
dequeue(head)
if head.id == caller then
grant(head, head.ttl)
else
grantByNotice(head)
end
end
end
end
end
local function giveBack(h, firstFence, lastUsed)
local last = math.min(h.last, math.max(lastUsed, firstFence - 1))
if fence == h.last then
fence = last
end
h.last = last
end
local function firstFenceOf(each)
return tonumber(string.match(redis.call('HGET', key, 'i:' .. each), '^%d+'))
end
redis.call('PERSIST', key) -- a write that a full server allows; the commit sets the expiry again
expire()
local h = holders[id]
local usable = h and not h.kept and not h.revoked
if usable then
extend(h, span)
if h.units == capacity and h.last == fence then
h.last = math.max(h.last, lastUsed + block)
fence = h.last
end
put(id)
end
grantHeads('')
if usable then
h.told = count > 0
put(id)
end
commit()
if not h or h.kept then
return { 'lost', now }
end
if h.revoked then
return { 'revoked', now }
end
return { 'renewed', now, h.last, flag(h.told) }
`,
  revoke: `
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local force = ARGV[5] == '1'
local outcome = force and 'freed' or 'marked'
local r = redis.call('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive', 'done')
if r[1] ~= '1' then
if r[1] then
return redis.error_reply('LOCKNEWER ' .. r[1])
end
if redis.call('EXISTS', key) == 1 then
return redis.error_reply('LOCKFOREIGN')
end
end
if not r[1] then
return { outcome, now, 0 }
end
local fenceMemory = tonumber(ARGV[1])
local SIGN_OF_LIFE, CLAIM_WINDOW = 15000000, 2000000
local capacity, fence = tonumber(r[2] or 0), tonumber(r[3] or 0)
local released = r[5] or ''
local first, next, count = tonumber(r[6] or 1), tonumber(r[7] or 1), tonumber(r[8] or 0)
local alive, done = tonumber(r[9] or 0), tonumber(r[10] or 0)
local ids, holders, used, dirty = {}, {}, 0, false
local function text(number)
return string.format('%.0f', number)
end
for each in string.gmatch(r[4] or '', '%S+') do
ids[#ids + 1] = each
local deadline, units, last, span, flags =
string.match(redis.call('HGET', key, 'h:' .. each), '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
flags = tonumber(flags)
holders[each] = {
deadline = tonumber(deadline),
units = tonumber(units),
last = tonumber(last),
span = tonumber(span),
told = flags % 2 == 1,
revoked = flags % 4 > 1,
kept = flags > 3,
}
used = used + units
end
local function put(each)
local h = holders[each]
local flags = (h.told and 1 or 0) + (h.revoked and 2 or 0) + (h.kept and 4 or 0)
local line = '%.0f %.0f %.0f %.0f %d'
redis.call('HSET', key, 'h:' .. each, string.format(line, h.deadline, h.units, h.last, h.span, flags))
dirty = true
end
local function drop(each)
redis.call('HDEL', key, 'h:' .. each, 'i:' .. each)
used = used - holders[each].units
holders[each] = nil
for place, other in ipairs(ids) do
if other == each then
table.remove(ids, place)
break
end
end
dirty = true
end
local function expire()
for place = #ids, 1, -1 do
local each = ids[place]
local h = holders[each]
if h.deadline > now + h.span then
h.deadline = now + h.span
put(each)
end
if h.deadline <= now then
drop(each)
end
end
end
local function extend(h, span)
h.deadline = math.max(h.deadline, now + span)
h.span = h.deadline - now
end
local function commit()
dirty = false
local latest = math.max(now, done, fence)
for _, each in ipairs(ids) do
latest = math.max(latest, holders[each].deadline)
end
if count > 0 then
latest = math.max(latest, alive)
end
if latest == now and fenceMemory == 0 then
redis.call('DEL', key)
return
end
if count == 0 then
first, next, alive = 1, 1, 0
redis.call('HDEL', key, 'first', 'next', 'count', 'alive')
else
redis.call('HSET', key, 'first', first, 'next', next, 'count', count, 'alive', text(alive))
end
redis.call('HSET', key, 'v', '1', 'capacity', text(capacity), 'fence', text(fence),
'ids', table.concat(ids, ' '), 'released', released, 'done', text(done))
redis.call('PEXPIREAT', key, text(math.ceil((latest + fenceMemory) / 1000)))
end
local function push(to, notice)
if dirty then
commit()
end
local heard = redis.pcall('PUBLISH', ARGV[2] .. string.match(to, '^[^.]*'), notice .. ' ' .. key)
return heard ~= 0 or ARGV[3] ~= '1'
end
local function waiterAt(seq)
local raw = redis.call('HGET', key, 'q:' .. seq)
if not raw then
return nil
end
local w = { seq = seq }
local units, ttl, guard, block, until_, alive_
w.id, units, ttl, guard, block, until_, alive_, w.subscribed, w.since, w.who =
string.match(raw, '^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d) (%d+) (.*)$')
w.units, w.ttl, w.guard, w.block = tonumber(units), tonumber(ttl), tonumber(guard), tonumber(block)
w.until_, w.alive = tonumber(until_), tonumber(alive_)
return w
end
local function putWaiter(w)
redis.call('HSET', key, 'q:' .. w.seq, string.format('%s %.0f %.0f %.0f %.0f %.0f %.0f %s %s %s', w.id,
w.units, w.ttl, w.guard, w.block, w.until_, w.alive, w.subscribed, w.since, w.who))
dirty = true
end
local function dequeue(w)
redis.call('HDEL', key, 'q:' .. w.seq, 'w:' .. w.id)
count = count - 1
if count == 0 then
first, next, alive = 1, 1, 0
end
dirty = true
end
local function grant(w, span)
local from = math.max(fence + 1, now)
fence = from + (w.units == capacity and math.min(w.block, span) or 1) - 1
holders[w.id] = { deadline = now + span + w.guard, units = w.units, last = fence, span = w.ttl + w.guard,
told = count > 0, revoked = false, kept = false, first = from }
ids[#ids + 1] = w.id
used = used + w.units
put(w.id)
redis.call('HSET', key, 'i:' .. w.id, string.format('%.0f %.0f %s', from, now, w.who))
return holders[w.id]
end
local function flag(truth)
return truth and 1 or 0
end
local function grantByNotice(w)
local span = math.min(CLAIM_WINDOW, w.ttl)
local before = fence
local h = grant(w, span)
if w.subscribed == '1' and not push(w.id, string.format('g %s %.0f %.0f %.0f %.0f %d %d', w.id, h.first,
h.last, now + span, span, flag(h.told), flag(done > now))) then
drop(w.id) -- nobody heard: its process is gone
fence = before
end
end
local function grantHeads(caller)
while count > 0 do
local head = waiterAt(first)
if not head then
first = first + 1 -- that one left the queue
dirty = true
else
local alive_ = math.min(head.alive, now + SIGN_OF_LIFE)
if head.until_ <= now or alive_ <= now then
dequeue(head)
else
if alive_ < head.alive then
head.alive = alive_
putWaiter(head)
end
if used + head.units > capacity then
return
end
dequeue(head)
if head.id == caller then
grant(head, head.ttl)
else
grantByNotice(head)
end
end
end
end
end
local function giveBack(h, firstFence, lastUsed)
local last = math.min(h.last, math.max(lastUsed, firstFence - 1))
if fence == h.last then
fence = last
end
h.last = last
end
local function firstFenceOf(each)
return tonumber(string.match(redis.call('HGET', key, 'i:' .. each), '^%d+'))
end
redis.call('PERSIST', key) -- a write that a full server allows; the commit sets the expiry again
expire()
local revoked = {}
for _, each in ipairs(ids) do
if not holders[each].kept then
revoked[#revoked + 1] = each
end
end
for _, each in ipairs(revoked) do
if force then
drop(each)
else
holders[each].revoked = true
put(each)
end
end
for _, each in ipairs(revoked) do
push(each, 'r ' .. each .. ' ' .. ARGV[4])
end
grantHeads('')
commit()
return { outcome, now, #revoked }
`,
} as const;
