-- acquire: grants the lock, keeps a place in its queue, or says who holds it; for each of the keys.
-- KEYS: the records
-- ARGV: 1 fenceMemory  2 channel prefix  3 '1' when a PUBLISH count of 0 means that nobody listens; then for each key
--       id, notAfter, keep (ms from now to keep the record of a fresh grant), hold ("units capacity span block who"),
--       ask ("ttl guard wait subscribed block seal"), where the block of hold is what a grant reserves
-- Returns for each key: now (a number: granted, the first fence is now, nobody waits), or
--   { granted, now, first, last, waiting, done } | { queued, now, place, heard, due, who } | { busy, now, due, who }
--   | { mismatch, now, capacity } | { gone, now } | { late, now } | an error
local STRIDE = 5
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local nowText = time[1] .. string.sub('00000' .. time[2], -6)

local function general(key, id, hold, ask)
  local fenceMemory, prefix, countable = tonumber(ARGV[1]), ARGV[2], ARGV[3]
  -- @include _machine.lua
  local units, wanted, who = string.match(hold, '^(%d+) (%d+) %d+ %d+ (.*)$')
  local ttl, guard, wait, subscribed, block, seal = string.match(ask, '^(%d+) (%d+) (%d+) (%d) (%d+) (%S+)$')
  units, wanted, block = tonumber(units), tonumber(wanted), tonumber(block)
  ttl, guard, wait = tonumber(ttl), tonumber(guard), tonumber(wait)
  local seq = seqOf(id)
  if seq then
    -- A sign of life is no new data: PERSIST is a write that a full server allows, and what follows it too.
    redis.call('PERSIST', key)
    local mine = waiterAt(seq)
    alive = math.max(alive, now + SIGN_OF_LIFE)
    mine.alive, mine.until_ = alive, math.max(mine.until_, now + wait)
    mine.subscribed, mine.seal = subscribed, seal
    putWaiter(mine)
  end
  expire()
  grantHeads(id)

  local function granted()
    local h = identify(id)
    h.told = count > 0
    touch(id)
    commit()
    return { 'granted', now, h.first, h.last, flag(h.told), flag(done > now) }
  end

  -- When the next hold ends, and who holds.
  local function present()
    local due = math.huge
    for _, each in ipairs(ids) do
      due = math.min(due, holders[each].deadline)
    end
    return due, identify(ids[1]).who
  end

  -- The echo shows both sides whether the way to the session works.
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
    return granted()
  end
  if id == released then
    commit()
    return { 'gone', now }
  end
  if seq then
    return queued()
  end
  if #ids == 0 and count == 0 then
    capacity = wanted
  elseif capacity ~= wanted then
    if dirty then
      commit()
    end
    return { 'mismatch', now, capacity }
  end
  local request = { id = id, units = units, ttl = ttl, guard = guard, block = block, who = who }
  if count == 0 and used + units <= capacity then
    grant(request, ttl)
    return granted()
  end
  if wait == 0 then
    if dirty then
      commit()
    end
    return { 'busy', now, present() }
  end
  request.seq, request.until_, request.alive = next, now + wait, now + SIGN_OF_LIFE
  request.subscribed, request.since, request.seal = subscribed, nowText, seal
  putWaiter(request)
  redis.call('HSET', key, 'w:' .. id, next)
  next, count, alive = next + 1, count + 1, math.max(alive, request.alive)
  for _, each in ipairs(ids) do
    local holder = holders[each]
    if holder.units == capacity and not holder.told then
      holder.told = true
      touch(each)
      push(each, 'c ' .. each)
      break
    end
  end
  return queued()
end

local function serve(key, at)
  local id, notAfter = ARGV[at + 1], ARGV[at + 2]
  if notAfter ~= '' and now > tonumber(notAfter) then
    return { 'late', now }
  end
  -- The lean path: nobody holds, nobody waits, and the fence (16 digits until the year 2286) is behind the clock.
  local record = redis.pcall('GET', key)
  local released = '-'
  if record then
    if type(record) ~= 'string' or string.sub(record, 1, 8) ~= 'lock1 - ' or string.sub(record, 25, 25) ~= ' '
      or string.sub(record, 9, 24) >= nowText or string.sub(record, 26) == id then
      return general(key, id, ARGV[at + 4], ARGV[at + 5])
    end
    released = string.sub(record, 26)
  end
  redis.call('SET', key,
    'lock1 ' .. id .. ' ' .. nowText .. ' ' .. nowText .. ' - ' .. released .. ' ' .. ARGV[at + 4], 'PX', ARGV[at + 3])
  return now
end

-- @include _each.lua
