// Made from scripts/*.lua and scripts/calls/*.lua by `npm run lua`.
export const FRAGMENTS = {
  'begin.lua': `
local keys, args, sub, try = KEYS, ARGV, string.sub, redis.pcall
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local nowText = time[1] .. sub('00000' .. time[2], -6)
`,
  'general-path.lua': `
for index = 1, #keys do
if replies[index] == false then
local ok, reply = pcall(general, keys[index], 2 + (index - 1) * STRIDE, records[index])
if not ok then
reply = redis.error_reply(type(reply) == 'table' and reply.err or tostring(reply))
end
replies[index] = reply
end
replies[index] = replies[index] or now
end
return replies
`,
  'lean-path.lua': `
local replies
for index = 1, #keys do
local reply = lean(keys[index], records[index], 2 + (index - 1) * STRIDE) or false
if reply ~= now then
replies = replies or {}
replies[index] = reply
end
end
`,
  'no-lean-path.lua': `
local records, replies = {}, {}
for index = 1, #keys do
replies[index] = false
end
`,
  'record.lua#lean-acquire': `
local function meet(key, record, hold, ask)
local since, holder, span, first, block, identity, released =
string.match(record, '^lock1 (%d+) (%S+) (%d+) (%S+) %* (%d+) (.*) (%S+)$')
local id, extent, own = string.match(hold, '^(%S+) (%d+) = %* %d+ (.*)$')
if not since or not id or id == holder or id == released then return nil end
local fence = (first == '=' and since or first) + block - 1
local deadline = since + span
if deadline <= now or since + 0 > now then return nil end
local guard, wait, subscribed, most, seal = string.match(ask, '^%d+ (%d+) (%d+) (%d) (%d+) (%S+)$')
local memory, countable, _, prefix = string.match(args[1], '^(%d+) (%d)(%S*) (.*)$')
local function told(to, notice)
local heard = try('PUBLISH', prefix .. string.match(to, '^[^.]*'), notice .. to .. ' ' .. key)
return (heard ~= 0 or countable ~= '1') and 1 or 0
end
if wait == '0' then
return { 'busy', now, deadline, identity, string.byte(holder, -1) == 43 and told(holder, 'w ') or 0 }
end
local ttl, finish, alive = extent - guard, now + wait, now + 15000000
local claim = math.min(2000000, ttl)
local size = string.format('%.0f', math.min(most, claim))
local after = string.format(' %.0f %.0f %s %s %.0f %.0f %s %.0f %s %s %s', math.ceil((claim + guard) / 1000), claim, size,
seal, finish, alive, nowText, ttl, guard, most,
id .. ' ' .. string.format('%012.0f', claim + guard) .. ' ' .. '=' .. ' ' .. '*' .. ' ' .. size .. ' ' .. own)
local head = 'lock1+' .. sub(record, 7) .. '\\n' .. string.format('%.0f', alive) .. ' 2\\n1 ' .. string.format('%016.0f', math.min(finish, alive)) .. ' '
local expiry = string.format('%.0f', math.ceil((math.max(deadline, fence + 1, alive) + memory) / 1000))
local set = try('SET', key, head .. subscribed .. after, 'PXAT', expiry)
if not set.ok then return nil end
told(holder, 'c ')
local heard = subscribed ~= '1' and 1 or told(id, 'e ')
if heard == 0 then
redis.call('SET', key, head .. '0' .. after, 'PXAT', expiry)
end
return { 'queued', now, 0, heard, deadline, identity }
end
local function lean(key, record, at)
local hold, ask = args[at + 1], args[at + 2]
if now > sub(ask, 1, 16) + 0 then return { 'late', now } end
local mode, released = 'NX', '-' -- a value that is no string is not overwritten
if record then
if string.byte(record, 7) ~= 45 then return meet(key, record, hold, ask) end
mode, released = 'XX', sub(record, 26)
local fence = string.find(record, 'lock1 - ', 1, true) == 1 and tonumber(sub(record, 9, 24))
if not fence or fence >= now or string.find(hold, released, 1, true) == 1 then
return nil -- the general path finds out whether this id was released, or one that begins alike
end
end
local set = try('SET', key, 'lock1' .. ' ' .. nowText .. ' ' .. hold .. ' ' .. released, 'PX', args[at], mode)
if set then return set.ok and now end
record = args[1]:byte() == 48 and try('GET', key)
return type(record) == 'string' and meet(key, record, hold, ask)
end
`,
  'record.lua#lean-renew': `
local function lean(key, record, at)
local id = args[at]
if now > args[at + 1] + 0 then return { 'late', now } end
if not record or sub(record, 24, 24 + #id) ~= id .. ' ' or sub(record, 1, 6) ~= 'lock1 ' then return nil end
local since, span = sub(record, 7, 22), tonumber(args[at + 3])
local deadline = since + sub(record, 25 + #id, 36 + #id)
local first, share, block, identity, released = string.match(record, '^(%S+) (%S+) (%d+) (.*) (%S+)$', 38 + #id)
if first == '=' then
first = since
end
local last = first + block - 1
if share == '*' or string.find(share, '^(%d+)/%1$') then
last = math.max(last, args[at + 5] + args[at + 4])
end
if deadline <= now or since + 0 > now or deadline > now + span or last >= now + span then return nil end
redis.call('PERSIST', key) -- a write that a full server allows, and what follows it too
redis.call('SET', key, 'lock1' .. ' ' .. nowText .. ' ' .. id .. ' ' .. args[at + 3] .. ' ' .. first .. ' ' .. share .. ' ' .. last - first + 1 .. ' ' .. identity .. ' ' .. released, 'PX', args[at + 2])
return nowText .. ' ' .. string.format('%.0f', last)
end
`,
  'record.lua#lean-release': `
local function set(key, record, unit, expiry)
local done = try('SET', key, record, unit, expiry)
if done.err then
redis.call('PERSIST', key)
redis.call('SET', key, record, unit, expiry)
end
end
local function handOn(key, record, id, used, idle)
local place = 38 + #id
local share = place + 2
if string.byte(record, place) ~= 61 then
local first = tonumber(sub(record, place, place + 15))
share = first and first <= now and place + 15 + 2 or place -- else the next fence is not now
end
if used + 0 >= now or string.byte(record, share) ~= 42 or not tonumber(idle) then return nil end
local times, finish, keep, extent, seal, hold, head, rest = string.match(record,
'^(%d+ %d+)\\n%d+ (%d+) 1 (%d+) (%d+ %d+) (%S+) %d+ %d+ %d+ %d+ %d+ %d+ ((%S+) %d+ = %* [^\\n]*)()',
string.find(record, '\\n', place, true) + 1)
if not head or finish + 0 <= now then return nil end
local mark, contended, queue = ' ', '0', ''
if rest <= #record then
local finish_, alive = string.match(record, '^\\n%d+ (%d+) %d %d+ %d+ %d+ %S+ %d+ (%d+)', rest)
if finish_ + 0 <= now or alive - now > 15000000 then
return nil -- the next head is not to stay as it is
end
mark, contended, queue = '+', '1', '\\n' .. times .. sub(record, rest)
keep = math.max(keep, math.ceil((sub(times, 1, 16) - now) / 1000))
end
set(key, 'lock1' .. mark .. nowText .. ' ' .. hold .. ' ' .. id .. queue, 'PX', keep + idle)
local countable, server, prefix = string.match(args[1], '^%d+ (%d)(%S*) (.*)$')
local session = sub(head, 1, string.find(head, '.', 1, true) - 1)
local heard = try('PUBLISH', prefix .. session,
'g ' .. head .. ' ' .. nowText .. ' = ' .. extent .. ' ' .. contended .. ' 0 ' .. seal .. server .. ' ' .. key)
if heard == 0 and countable == '1' then
redis.call('SET', key, record, 'KEEPTTL')
return nil
end
plain = -now
return now
end
local function lean(key, record, at)
local id, used, idle = args[at], args[at + 1], args[at + 2]
if not record or string.find(record, id, 24, true) ~= 24 or string.byte(record, 24 + #id) ~= 32
or string.byte(record, 6 - 1) ~= 49 then
return nil
end
local since = sub(record, 7, 22)
local from = since + 0
if from + sub(record, 25 + #id, 36 + #id) <= now or from >= now then return nil end
if string.byte(record, 6) ~= 32 then return handOn(key, record, id, used, idle) end
if used ~= since or string.byte(record, 38 + #id) ~= 61 then
local first, block = string.match(record, '^(%S+) %S+ (%d+) ', 38 + #id)
first = first == '=' and from or tonumber(first)
local fence = math.min(first + block - 1, math.max(tonumber(used), first - 1))
if fence >= now then return nil end
used = string.format('%016.0f', fence)
end
if not tonumber(idle) then
return nil
elseif idle == '0' then
idleKeys = idleKeys or {}
idleKeys[#idleKeys + 1] = key
else
set(key, 'lock1 - ' .. used .. ' ' .. id, 'PX', idle)
end
return now
end
`,
  'record.lua#general': `
local fenceMemory, countable, server, prefix = string.match(ARGV[1], '^(%d+) (%d)(%S*) (.*)$')
fenceMemory = tonumber(fenceMemory)
local stored = {}
if not compact then
stored = redis.pcall('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive',
'done', 'forced', 'note')
if stored.err then -- a string after all, or what is no record; or we may not ask
if not string.find(stored.err, 'WRONGTYPE', 1, true) then return redis.error_reply(stored.err) end
stored, compact = {}, redis.call('GET', key)
elseif stored[1] ~= '1' and (stored[1] or redis.call('EXISTS', key) == 1) then
local kind = redis.call('HEXISTS', key, 'latch') == 1 and ' a latch' or ''
return redis.error_reply(stored[1] and 'LOCKNEWER ' .. stored[1] or 'LOCKFOREIGN' .. kind)
end
end
if compact and not string.find(compact, '^lock1[ +]') then
local version = string.match(compact, '^lock(%d+)[ +]')
return redis.error_reply(version and 'LOCKNEWER ' .. version or 'LOCKFOREIGN')
end
local absent = not compact and not stored[1]
local capacity, fence = tonumber(stored[2] or 0), tonumber(stored[3] or 0)
local released = stored[5] or ''
local first, next, count = tonumber(stored[6] or 1), tonumber(stored[7] or 1), tonumber(stored[8] or 0)
local alive, done = tonumber(stored[9] or 0), tonumber(stored[10] or 0)
local note = stored[12] or ''
local ids, holders, used, dirty, touched, gone, waiters = {}, {}, 0, false, {}, {}, {}
local forced = {}
for each, until_ in string.gmatch(stored[11] or '', '(%S+) (%d+)') do
forced[#forced + 1] = { id = each, until_ = tonumber(until_) }
end
local function sharesOf(share)
if share == '*' then return 1073741824, 1073741824 end
local units, capacity_ = string.match(share, '^(%d+)/(%d+)$')
return tonumber(units), tonumber(capacity_)
end
local function shareOf(units)
return units == 1073741824 and capacity == 1073741824 and '*' or string.format('%.0f/%.0f', units, capacity)
end
for each in string.gmatch(stored[4] or '', '%S+') do
ids[#ids + 1] = each
local fields = redis.call('HMGET', key, 'h:' .. each, 'i:' .. each)
local deadline, units, last, span, flags = string.match(fields[1], '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
local first_, since, identity = string.match(fields[2], '^(%d+) (%d+) (.*)$')
flags = tonumber(flags)
holders[each] = {
deadline = tonumber(deadline),
units = tonumber(units),
last = tonumber(last),
span = tonumber(span),
contended = flags % 2 == 1,
revoked = flags % 4 > 1 and (redis.call('HGET', key, 'r:' .. each) or ''),
kept = flags > 3,
first = tonumber(first_),
since = tonumber(since),
identity = identity,
}
used = used + units
end
local function waiterIn(raw, seq)
local w = { seq = seq, raw = raw }
local until_, alive_, ttl, guard, block, share
w.subscribed, w.seal, until_, alive_, w.since, ttl, guard, block, w.id, share, w.identity = string.match(raw,
'^%d+ (%d) %d+ %d+ %d+ (%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) %d+ = (%S+) %d+ (.*)$')
w.units = sharesOf(share)
w.until_, w.alive = tonumber(until_), tonumber(alive_)
w.ttl, w.guard, w.block = tonumber(ttl), tonumber(guard), tonumber(block)
return w
end
if compact then
local alone, queue = compact, nil
if string.byte(compact, 6) == 43 then
alone, alive, next, queue = string.match(compact, '^(.-)\\n(%d+) (%d+)\\n(.*)$')
alive, next = tonumber(alive), tonumber(next)
for seq, raw in string.gmatch(queue, '(%d+) ([^\\n]*)') do
count, seq = count + 1, tonumber(seq)
if count == 1 then
first = seq
end
waiters[seq] = waiterIn(raw, seq)
end
end
local at_, id_, span, first_, share, block, identity, released_ =
string.match(alone, '^lock1.(%d+) (%S+) (%d+) (%S+) (%S+) (%d+) (.*) (%S+)$')
if id_ then
first_ = tonumber(first_ == '=' and at_ or first_)
fence = first_ + block - 1
ids[1], released = id_, released_
used, capacity = sharesOf(share)
holders[id_] = { deadline = at_ + span, units = used, last = fence, span = tonumber(span),
contended = count > 0, revoked = false, kept = false, first = first_, since = first_, identity = identity }
touched[id_] = true
else
fence, released = string.match(alone, '^lock1 %- (%d+) (%S+)$')
fence = tonumber(fence)
end
if released == '-' then
released = ''
end
end
local function persist()
redis.call('PERSIST', key)
dirty = true
end
local function touch(each)
touched[each] = true
dirty = true
end
local function drop(each)
gone[#gone + 1] = each
touched[each] = nil
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
local function forget(end_)
gone[#gone + 1] = end_.id
dirty = true
end
local function seqOf(each)
if not compact then return tonumber(redis.call('HGET', key, 'w:' .. each) or nil) end
for seq, w in pairs(waiters) do
if w.id == each then return seq end
end
end
local function waiterAt(seq)
if compact then return waiters[seq] end
local raw = redis.call('HGET', key, 'q:' .. seq)
return raw and waiterIn(raw, seq)
end
local function noted() return string.match(note, ' (%S+)$') end
local function claimOf(w)
local span = math.min(2000000, w.ttl)
return span, w.units == capacity and math.min(w.block, span) or 1
end
local function rawOf(w)
if w.raw then return w.raw end
local claim, size = claimOf(w)
return string.format('%016.0f %s %.0f %.0f %.0f %s %.0f %.0f %s %.0f %.0f %.0f ', math.min(w.until_, w.alive),
w.subscribed, math.ceil((claim + w.guard) / 1000), claim, size, w.seal, w.until_, w.alive, w.since, w.ttl, w.guard,
w.block) .. w.id .. ' ' .. string.format('%012.0f', claim + w.guard) .. ' ' .. '=' .. ' ' .. shareOf(w.units) .. ' ' .. string.format('%.0f', size) .. ' ' .. w.identity
end
local function writeWaiter(w)
redis.call('HSET', key, 'q:' .. w.seq, rawOf(w), 'w:' .. w.id, w.seq)
end
local function toHash()
if compact then
if countable ~= '1' then
redis.call('RESTORE', key, 0, '\\004\\001\\001v\\0011\\006\\000\\063\\172\\144\\121\\049\\167\\090\\037', 'REPLACE')
else
redis.call('APPEND', key, '') -- changes nothing, and fails on a full server, which DEL would not
redis.call('DEL', key)
end
compact = false
for _, w in pairs(waiters) do
writeWaiter(w)
end
waiters = {}
end
end
local function putWaiter(w)
dirty, w.raw = true, nil
if compact and (waiters[w.seq] or count < 8) then
waiters[w.seq] = w
else
toHash()
writeWaiter(w)
end
end
local function removeWaiter(w)
dirty = true
if compact then
waiters[w.seq] = nil
else
redis.call('HDEL', key, 'q:' .. w.seq, 'w:' .. w.id)
end
end
local function compactForm()
if done > now or #ids > 1 or #forced > 0 or note ~= '' or count > 0 and (#ids == 0 or not compact) then return nil end
local before = released == '' and '-' or released
if #ids == 0 then return 'lock1 - ' .. string.format('%016.0f', fence) .. ' ' .. before end
local h = holders[ids[1]]
if h.contended ~= (count > 0) or h.revoked or h.kept or fence ~= h.last or h.since ~= h.first or h.deadline < h.span then
return nil
end
local at = h.deadline - h.span
local alone = 'lock1' .. (count > 0 and '+' or ' ') .. string.format('%016.0f', at) .. ' ' .. (ids[1] .. ' ' .. string.format('%012.0f', h.span) .. ' ' .. (h.first == at and '=' or string.format('%.0f', h.first)) .. ' ' .. shareOf(h.units) .. ' ' .. string.format('%.0f', h.last - h.first + 1) .. ' ' .. h.identity) .. ' ' .. before
if count == 0 then return alone end
local lines = { alone, string.format('%.0f %.0f', alive, next) }
for seq = first, next - 1 do
if waiters[seq] then
lines[#lines + 1] = seq .. ' ' .. rawOf(waiters[seq])
end
end
return table.concat(lines, '\\n')
end
local function writeHash()
toHash()
for _, each in ipairs(gone) do
redis.call('HDEL', key, 'h:' .. each, 'i:' .. each, 'r:' .. each)
end
for each in pairs(touched) do
local h = holders[each]
local flags = (h.contended and 1 or 0) + (h.revoked and 2 or 0) + (h.kept and 4 or 0)
redis.call('HSET', key,
'h:' .. each, string.format('%.0f %.0f %.0f %.0f %d', h.deadline, h.units, h.last, h.span, flags),
'i:' .. each, string.format('%.0f %.0f %s', h.first, h.since, h.identity))
if h.revoked then
redis.call('HSET', key, 'r:' .. each, h.revoked)
end
end
if #forced > 0 then
local ends = {}
for place, end_ in ipairs(forced) do
ends[place] = end_.id .. ' ' .. string.format('%.0f', end_.until_)
if end_.reason then
redis.call('HSET', key, 'r:' .. end_.id, end_.reason)
end_.reason = nil
end
end
redis.call('HSET', key, 'forced', table.concat(ends, ' '))
elseif stored[11] then
redis.call('HDEL', key, 'forced')
end
if note ~= '' then
redis.call('HSET', key, 'note', note)
elseif stored[12] then
redis.call('HDEL', key, 'note')
end
if count == 0 then
redis.call('HDEL', key, 'first', 'next', 'count', 'alive')
else
redis.call('HSET', key, 'first', first, 'next', next, 'count', count, 'alive', string.format('%.0f', alive))
end
redis.call('HSET', key, 'v', '1', 'capacity', string.format('%.0f', capacity), 'fence', string.format('%.0f', fence),
'ids', table.concat(ids, ' '), 'released', released, 'done', string.format('%.0f', done))
end
local function commit()
if absent and #ids == 0 and count == 0 then return end
if #ids == 0 and count == 0 then
capacity = 0
end
if string.sub(note, -1) == ' ' and not holders[string.match(note, '^%S+')] then
note = ''
end
if count == 0 then
first, next, alive = 1, 1, 0
end
local latest = math.max(now, done, fence + 1)
for _, each in ipairs(ids) do
latest = math.max(latest, holders[each].deadline)
end
for _, end_ in ipairs(forced) do
latest = math.max(latest, end_.until_)
end
if count > 0 then
latest = math.max(latest, alive)
end
if latest == now and fenceMemory == 0 then
redis.call('DEL', key)
absent, compact = true, nil
else
local record = compactForm()
local expiry = string.format('%.0f', math.ceil((latest + fenceMemory) / 1000))
if record then
redis.call('SET', key, record, 'PXAT', expiry)
else
writeHash()
redis.call('PEXPIREAT', key, expiry)
end
absent, compact = false, record
end
gone, touched, dirty = {}, {}, false
if compact and ids[1] then
touched[ids[1]] = true -- its fields have to be written when the record takes the general form
end
end
local function save()
if dirty then
commit()
end
end
`,
  'rules.lua': `
local function expire()
if done > 0 and done <= now then
done = 0
dirty = true
end
for place = #ids, 1, -1 do
local each = ids[place]
local h = holders[each]
if h.deadline > now + h.span then
h.deadline = now + h.span
touch(each)
end
if h.deadline <= now then
drop(each)
end
end
for place = #forced, 1, -1 do
if forced[place].until_ <= now then
forget(table.remove(forced, place))
end
end
end
local function extend(h, span)
h.deadline = math.max(h.deadline, now + span)
h.span = h.deadline - now
end
local function grant(w, span)
local from = math.max(fence + 1, now)
fence = from + (w.units == capacity and math.min(w.block, span) or 1) - 1
holders[w.id] = { deadline = now + span + w.guard, units = w.units, last = fence, span = span + w.guard,
contended = count > 0, revoked = false, kept = false, first = from, since = now, identity = w.identity }
ids[#ids + 1] = w.id
used = used + w.units
touch(w.id)
return holders[w.id]
end
local function giveBack(each, lastUsed)
local h = holders[each]
local last = math.min(h.last, math.max(lastUsed, h.first - 1))
if fence == h.last then
fence = last
end
h.last = last
end
local function enqueue(w)
w.seq = next
putWaiter(w)
next, count, alive = next + 1, count + 1, math.max(alive, w.alive)
end
local function dequeue(w)
removeWaiter(w)
count = count - 1
if count == 0 then
first, next, alive = 1, 1, 0
end
end
local function notedInNotice()
local text_ = noted()
return text_ and '#' .. text_ or ''
end
local function push(to, notice)
save()
local heard = redis.pcall('PUBLISH', prefix .. string.match(to, '^[^.]*'), notice .. ' ' .. key)
return heard ~= 0 or countable ~= '1'
end
local function flag(truth)
return truth and 1 or 0
end
local function grantByNotice(w)
local span = claimOf(w)
local before = fence
local h = grant(w, span)
if w.subscribed == '1' and not push(w.id, string.format('g %s %.0f %.0f %.0f %.0f %d %d %s', w.id, now, h.first,
span, h.last - h.first + 1, flag(h.contended), flag(done > now), w.seal .. server .. notedInNotice())) then
drop(w.id) -- nobody heard: its process is gone
fence = before
end
end
local function grantHeads(caller)
while count > 0 do
local head = waiterAt(first)
if not head then
first = first + 1 -- this one has left the queue
dirty = true
else
local alive_ = math.min(head.alive, now + 15000000)
if head.until_ <= now or alive_ <= now then
dequeue(head)
else
if alive_ < head.alive then
head.alive = alive_
putWaiter(head)
end
if used + head.units > capacity then return end
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
local function forcedAt(id)
for place, end_ in ipairs(forced) do
if end_.id == id then return place end
end
end
local function ended(id)
if forcedAt(id) then return { 'revoked', now, redis.call('HGET', key, 'r:' .. id) or '' } end
return { 'lost', now }
end
local function over(id)
local h = holders[id]
if h and h.revoked and not h.kept then return { 'revoked', now, h.revoked } end
return ended(id)
end
`,
} as const;
export const CALLS = {
  acquire: `
local STRIDE = 3
-- @include begin.lua
-- @include record.lua#lean-acquire
local records = args[1]:byte() == 48 and {} or redis.call('MGET', unpack(keys))
-- @include lean-path.lua
if not replies then return now end
local function general(key, at, compact)
-- @include record.lua#general
-- @include rules.lua
local id, span, share, identity = string.match(args[at + 1], '^(%S+) (%d+) = (%S+) %d+ (.*)$')
local guard, wait, subscribed, block, seal = string.match(args[at + 2], '^%d+ (%d+) (%d+) (%d) (%d+) (%S+)$')
local units, wanted = sharesOf(share)
guard, wait, block = tonumber(guard), tonumber(wait), tonumber(block)
local ttl = span - guard
local seq = seqOf(id)
if seq then
persist() -- a sign of life is no new data
local mine = waiterAt(seq)
alive = math.max(alive, now + 15000000)
mine.alive, mine.until_ = alive, math.max(mine.until_, now + wait)
mine.subscribed, mine.seal = subscribed, seal
mine.ttl, mine.guard, mine.block, mine.identity = ttl, guard, block, identity
putWaiter(mine)
end
expire()
grantHeads(id)
local function granted()
local h = holders[id]
h.contended = count > 0
touch(id)
commit()
return { 'granted', now, h.first, h.last, flag(h.contended), flag(done > now), noted() }
end
local function present()
local due = math.huge
for _, each in ipairs(ids) do
due = math.min(due, holders[each].deadline)
end
return due, holders[ids[1]].identity
end
local function rouse()
for _, each in ipairs(ids) do
local holder = holders[each]
if string.byte(each, -1) == 43 and holder.units == capacity
and not (holder.contended or holder.revoked or holder.kept) then
return flag(push(each, 'w ' .. each))
end
end
return 0
end
local function queued()
local seq_ = seqOf(id)
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
save()
return { 'queued', now, mine.seq - first, flag(heard), present() }
end
local h = holders[id]
if h then
if h.kept or h.revoked then
commit()
return { 'gone', now }
end
extend(h, ttl + guard)
return granted()
end
if id == released or forcedAt(id) then
commit()
return { 'gone', now }
end
if seq then return queued() end
if #ids == 0 and count == 0 then
capacity = wanted
elseif capacity ~= wanted then
save()
return { 'mismatch', now, capacity, rouse() }
end
local request = { id = id, units = units, ttl = ttl, guard = guard, block = block, identity = identity }
if count == 0 and used + units <= capacity then
grant(request, ttl)
return granted()
end
if wait == 0 then
save()
local due, holder = present()
return { 'busy', now, due, holder, rouse() }
end
request.until_, request.alive = now + wait, now + 15000000
request.subscribed, request.since, request.seal = subscribed, nowText, seal
enqueue(request)
for _, each in ipairs(ids) do
local holder = holders[each]
if holder.units == capacity and not holder.contended then
holder.contended = true
touch(each)
push(each, 'c ' .. each)
break
end
end
return queued()
end
-- @include general-path.lua
`,
  deleteIfEqual: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`,
  downgrade: `
local STRIDE = 3
-- @include begin.lua
-- @include no-lean-path.lua
local function general(key, at, compact)
local id, units = args[at], tonumber(args[at + 1])
-- @include record.lua#general
-- @include rules.lua
if absent then return { 'lost', now } end
persist()
expire()
local h = holders[id]
if h and not h.kept and h.units > units then
giveBack(id, tonumber(args[at + 2]))
used = used - h.units + units
h.units = units
touch(id)
end
grantHeads('')
save()
if h and not h.kept then return { 'downgraded', now } end
return ended(id)
end
-- @include general-path.lua
`,
  inspect: `
local time = redis.call('TIME')
local function read(command, ...)
local value = redis.pcall(command, KEYS[1], ...)
if type(value) == 'table' and not string.find(value.err, 'WRONGTYPE', 1, true) then
return redis.call(command, KEYS[1], ...)
end
return value
end
local compact = read('GET')
local record = { compact or nil }
if type(compact) == 'table' then
if not string.find(compact.err, 'WRONGTYPE', 1, true) then return compact end
record = read('HGET', 'v') == '1' and redis.call('HGETALL', KEYS[1]) or { '' }
end
table.insert(record, 1, time[1] * 1000000 + time[2])
return record
`,
  latch: `
local key, kind, meantRound = KEYS[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local r = redis.pcall('HMGET', key, 'latch', 'count', 'until', 'alive', 'round', 'past')
if r.err then -- no hash: the compact record of a lock, or a foreign value
local value = redis.pcall('GET', key)
local lock = type(value) == 'string' and string.find(value, '^lock%d+[ +]')
return redis.error_reply(lock and 'LOCKFOREIGN a lock' or r.err)
end
if r[1] ~= '1' then
if r[1] then return redis.error_reply('LOCKNEWER ' .. r[1]) end
if redis.call('EXISTS', key) == 1 then
return redis.error_reply(redis.call('HEXISTS', key, 'v') == 1 and 'LOCKFOREIGN a lock' or 'LOCKFOREIGN')
end
end
local count, expiry, alive = tonumber(r[2] or nil), tonumber(r[3] or 0), tonumber(r[4] or 0)
local round, past = r[5] or '', r[6] or ''
local function watchers()
local found = {}
local fields = redis.call('HGETALL', key)
for at = 1, #fields, 2 do
if string.sub(fields[at], 1, 2) == 'w:' and tonumber(fields[at + 1]) > now then
found[fields[at]] = fields[at + 1]
end
end
return found
end
local function tell(living)
for field in pairs(living) do
local id = string.sub(field, 3)
redis.pcall('PUBLISH', string.match(ARGV[1], '^%d+ %d%S* (.*)$') .. string.match(id, '^[^.]*'), 'o ' .. id .. ' ' .. key)
end
end
local function clear(living)
redis.call('HSET', key, 'latch', '1', 'alive', string.format('%.0f', alive))
local fields = redis.call('HGETALL', key)
for at = 1, #fields, 2 do
local field = fields[at]
if field ~= 'latch' and field ~= 'alive' and not living[field] then
redis.call('HDEL', key, field)
end
end
end
if count and expiry <= now then
clear(watchers())
count, expiry, round, past = nil, 0, '', ''
end
local meant = meantRound == '' or meantRound == round
local passed -- '+' or '-' when the round that is meant was replaced
for mark, each in string.gmatch(past, '([+-])(%S+)') do
if each == meantRound then
passed = mark
end
end
local outcome
if kind == 'set' and (not count or not meant and not passed) then
local living = count and watchers()
if living then
if round ~= '' then
past = (count == 0 and '+' or '-') .. round .. ' ' .. past
end
redis.call('HSET', key, 'count', ARGV[4]) -- a full server refuses this, and nothing has changed
clear(living)
end
outcome, count, expiry, round = 'set', tonumber(ARGV[4]), now + ARGV[5], meantRound
meant = true
redis.call('HSET', key, 'latch', '1', 'count', count, 'until', string.format('%.0f', expiry),
'alive', string.format('%.0f', alive))
if round ~= '' then
redis.call('HSET', key, 'round', round)
end
local kept = {}
for each in string.gmatch(past, '%S+') do
if #kept < 8 then
kept[#kept + 1] = each
end
end
if #kept > 0 then
redis.call('HSET', key, 'past', table.concat(kept, ' '))
end
tell(living or {})
elseif kind == 'watch' and not passed and not (meant and count == 0) then
alive = math.max(alive, now + 15000000)
redis.call('HSET', key, 'latch', '1', 'alive', string.format('%.0f', alive),
'w:' .. ARGV[4], string.format('%.0f', now + 15000000))
elseif kind == 'unwatch' then
redis.call('HDEL', key, 'w:' .. ARGV[4])
elseif kind == 'down' and meant and count and count > 0 and redis.call('HSETNX', key, 'd:' .. ARGV[4], '1') == 1 then
count = count - 1
redis.call('HSET', key, 'count', count)
if count == 0 then
local living = watchers()
for field in pairs(living) do
redis.call('HDEL', key, field)
end
tell(living) -- also those who wait for another round: they ask again
end
end
local latest = math.max(count and expiry or 0, alive)
if latest > now then
redis.call('PEXPIREAT', key, string.format('%.0f', math.ceil(latest / 1000)))
else
redis.call('DEL', key)
end
if passed then
local open = passed == '+' and kind ~= 'set' and kind ~= 'down'
return { open and 'open' or 'over', now, 0, 0, round }
end
if not meant or not count then return { 'missing', now, 0, 0, round } end
return { outcome or (kind == 'set' and 'exists') or (count == 0 and 'open') or 'counting', now, count, expiry, round }
`,
  note: `
local STRIDE = 3
-- @include begin.lua
-- @include no-lean-path.lua
local function general(key, at, compact)
local id, turn = args[at], args[at + 1]
-- @include record.lua#general
-- @include rules.lua
if absent then return { 'lost', now } end
expire()
local h = holders[id]
local usable = h and not h.kept and not h.revoked
if usable then
local by, last = string.match(note, '^(%S+) (%d+) ')
if by ~= id or last + 0 < turn + 0 then
note, dirty = id .. ' ' .. turn .. ' ' .. args[at + 2], true -- a full server refuses this
end
else
persist()
end
grantHeads('')
save()
if usable then return { 'noted', now } end
return over(id)
end
-- @include general-path.lua
`,
  release: `
local STRIDE = 3
-- @include begin.lua
local idleKeys -- the records to delete, if any
local plain = now -- the one answer for all keys
-- @include record.lua#lean-release
local records = redis.call('MGET', unpack(keys))
-- @include lean-path.lua
if idleKeys then
redis.call('DEL', unpack(idleKeys))
end
if not replies then return plain end
local function general(key, at, compact)
local id, lastUsed = args[at], tonumber(args[at + 1])
-- @include record.lua#general
-- @include rules.lua
if absent then return { 'gone', now } end
local keep, doneFor = string.match(args[at + 2], ' (%d+) (%d+)$')
keep, doneFor = tonumber(keep or 0), tonumber(doneFor or 0)
persist()
expire()
local outcome = 'gone'
local h = holders[id]
if h then
giveBack(id, lastUsed)
released = id
if keep > 0 and not h.revoked then
h.kept = true
h.deadline = math.min(h.deadline, now + keep)
touch(id)
else
drop(id)
end
outcome = 'released'
else
local seq = seqOf(id)
if seq then
dequeue(waiterAt(seq))
outcome = 'dequeued'
else
local place = forcedAt(id)
if place then
forget(table.remove(forced, place)) -- nobody asks for its reason any more
end
if released == id then
outcome = 'released'
end
end
end
if outcome == 'released' and doneFor > 0 then
done = now + doneFor
end
grantHeads('')
save()
return { outcome, now }
end
-- @include general-path.lua
`,
  renew: `
local STRIDE = 6
-- @include begin.lua
-- @include record.lua#lean-renew
local records = redis.call('MGET', unpack(keys))
-- @include lean-path.lua
local function general(key, at, compact)
local id, span = args[at], tonumber(args[at + 3])
local block, lastUsed = tonumber(args[at + 4]), tonumber(args[at + 5])
-- @include record.lua#general
-- @include rules.lua
if absent then return { 'lost', now } end
persist()
expire()
local h = holders[id]
local usable = h and not h.kept and not h.revoked
if usable then
extend(h, span)
if h.units == capacity and h.last == fence then
h.last = math.max(h.last, lastUsed + block)
fence = h.last
end
touch(id)
end
grantHeads('')
if usable then
h.contended = count > 0
touch(id)
end
save()
if not h or h.kept then return ended(id) end
if h.revoked then return { 'revoked', now, h.revoked } end
return { 'renewed', now, h.last, flag(h.contended) }
end
-- @include general-path.lua
`,
  revoke: `
local STRIDE = 2
-- @include begin.lua
-- @include no-lean-path.lua
local function general(key, at, compact)
local force = args[at + 1] == '1'
local outcome = force and 'freed' or 'marked'
-- @include record.lua#general
-- @include rules.lua
if absent then return { outcome, now, 0, '' } end
persist()
expire()
local revoked, holder = {}, ''
for _, each in ipairs(ids) do
if force or not holders[each].kept then
revoked[#revoked + 1] = each
end
end
if #revoked > 0 then
holder = holders[revoked[1]].identity
end
for _, kept in ipairs(force and { true, false } or {}) do
for _, each in ipairs(revoked) do
if holders[each].kept == kept then
forced[#forced + 1] = { id = each, until_ = holders[each].deadline, reason = args[at] }
end
end
end
for _, each in ipairs(revoked) do
if force then
drop(each)
else
holders[each].revoked = args[at]
touch(each)
end
end
while #forced > 64 do
forget(table.remove(forced, 1))
end
for _, each in ipairs(revoked) do
push(each, 'r ' .. each .. ' ' .. args[at])
end
grantHeads('')
save()
return { outcome, now, #revoked, holder }
end
-- @include general-path.lua
`,
  rights: `
local key, failed = KEYS[1], {}
local function try(command, ...)
local reply = redis.pcall(command, ...)
local why = type(reply) == 'table' and reply.err
if why and not string.find(why, 'WRONGTYPE', 1, true) then
failed[#failed + 1] = command
failed[#failed + 1] = why
end
return not why
end
try('TIME')
try('MGET', key)
try('GET', key)
try('EXISTS', key)
try('HGET', key, 'v')
try('HMGET', key, 'v')
try('HGETALL', key)
try('HEXISTS', key, 'v')
try('PUBLISH', string.match(ARGV[1], '^%d+ %d%S* (.*)$') .. ARGV[2], '')
if try('SET', key, 'rights', 'PX', '1000') then
try('HSET', key, 'v', '0')
try('HSETNX', key, 'v', '0')
try('HDEL', key, 'v')
try('APPEND', key, '')
try('PERSIST', key)
try('PEXPIREAT', key, '9999999999999')
if string.find(ARGV[1], '^%d+ 0') then -- of a cluster, see record.lua
try('RESTORE', key, 0, '\\004\\001\\001v\\0011\\006\\000\\063\\172\\144\\121\\049\\167\\090\\037', 'REPLACE')
end
if not try('DEL', key) then
redis.call('SET', key, '', 'PX', '1')
end
end
return failed
`,
  takeOver: `
local STRIDE = 3
-- @include begin.lua
-- @include no-lean-path.lua
local function general(key, at, compact)
local from, lastUsed = args[at], tonumber(args[at + 1])
local notAfter, ttl, guard, block, units, id, identity = string.match(args[at + 2],
'^(%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (.*)$')
if now > notAfter + 0 then return { 'late', now } end
-- @include record.lua#general
-- @include rules.lua
if absent then return { 'lost', now } end
ttl, guard, block, units = tonumber(ttl), tonumber(guard), tonumber(block), tonumber(units)
persist()
expire()
local own, before = holders[id], holders[from]
if own then
if not own.kept and not own.revoked then
extend(own, ttl + guard) -- a repeat: the hold is ours already
touch(id)
end
elseif before and not before.kept and not before.revoked then
giveBack(from, lastUsed)
drop(from)
released = from
grant({ id = id, units = math.min(units, before.units), guard = guard, block = block, identity = identity }, ttl)
end
grantHeads('')
local h = holders[id]
local usable = h and not h.kept and not h.revoked
if usable then
h.contended = count > 0
touch(id)
end
save()
if usable then return { 'granted', now, h.first, h.last, flag(h.contended), flag(done > now), noted() } end
return over((h or forcedAt(id)) and id or from)
end
-- @include general-path.lua
`,
} as const;
