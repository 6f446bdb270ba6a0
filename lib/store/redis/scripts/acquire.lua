-- acquire: grants the lock, keeps a place in its queue, or says who holds it.
-- KEYS: 1 the record
-- ARGV: 1 fenceMemory  2 channel prefix  3 '1' when a PUBLISH count of 0 means that nobody listens
--       4 id  5 units  6 capacity  7 ttl  8 guard  9 block  10 wait  11 subscribed  12 who  13 notAfter or ''
-- Returns: granted, now, first, last, waiting, done | queued, now, place, heard, due, who | busy, now, due, who
--          | mismatch, now, capacity | gone, now | late, now
local key, id = KEYS[1], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if ARGV[13] ~= '' and now > tonumber(ARGV[13]) then
  return { 'late', now }
end
local r = redis.call('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive', 'done')
-- @include _head.lua
local fenceMemory = tonumber(ARGV[1])
local units, ttl, guard, block = tonumber(ARGV[5]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

-- The lean path: nobody holds, nobody waits.
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

-- @include _machine.lua
local wait = tonumber(ARGV[10])
local seq = redis.call('HGET', key, 'w:' .. id)
if seq then
  -- A sign of life is no new data: PERSIST is a write that a full server allows, and what follows it too.
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

-- When the next hold ends, and who holds.
local function present()
  local due = math.huge
  for _, each in ipairs(ids) do
    due = math.min(due, holders[each].deadline)
  end
  return due, string.match(redis.call('HGET', key, 'i:' .. ids[1]), '^%d+ %d+ (.*)$')
end

-- The echo shows both sides whether the way to the session works.
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
