-- acquire: grants the lock, keeps a place in its queue, or says who holds it; for each of the keys.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua); then for each key
--       keep (ms from now to keep the record of a fresh grant),
--       hold ("id span = share block who", as in the compact record; the block is what a grant reserves),
--       ask ("notAfter guard wait subscribed block seal", notAfter with 16 digits)
-- Returns: now, when each of them is granted, and nobody waits (the first fence is now); or for each key now for that, or
--   { granted, now, first, last, waiting, done } | { queued, now, place, heard, due, who } | { busy, now, due, who }
--   | { mismatch, now, capacity } | { gone, now } | { late, now } | an error
local STRIDE = 3
local keys, args, sub, try = KEYS, ARGV, string.sub, redis.pcall
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local nowText = time[1] .. string.sub('00000' .. time[2], -6)
local fresh = 'lock1 ' .. nowText .. ' '

-- The compact form of an idle name, or no record; and the fence is behind the clock.
local function lean(key, record, at)
  local hold = args[at + 1]
  if now > sub(args[at + 2], 1, 16) + 0 then
    return { 'late', now }
  end
  local mode, released = 'NX', '-' -- a value that is no string is not overwritten
  if record then
    mode, released = 'XX', sub(record, RELEASED)
    local fence = string.find(record, 'lock1 - ', 1, true) == 1 and tonumber(sub(record, FENCE, FENCE_END))
    if not fence or fence >= now or string.find(hold, released, 1, true) == 1 then
      return nil -- the general path finds out whether this id was released, or one that begins alike
    end
  end
  local set = try('SET', key, fresh .. hold .. ' ' .. released, 'PX', args[at], mode)
  return set and set.ok and now
end

-- Without fence memory a record without a holder is rare: it is found by the SET that fails.
local records = args[1]:byte() == ZERO and {} or redis.call('MGET', unpack(keys))
-- @include lean-path.lua
-- The common end. What is rare comes after it: a closure or a table that is not made costs nothing.
if not replies then
  return now
end

local function general(key, at, compact)
  -- @include record.lua
  -- @include rules.lua
  local id, span, share, who = string.match(args[at + 1], '^(%S+) (%d+) = (%S+) %d+ (.*)$')
  local guard, wait, subscribed, block, seal = string.match(args[at + 2], '^%d+ (%d+) (%d+) (%d) (%d+) (%S+)$')
  local units, wanted = sharesOf(share)
  guard, wait, block = tonumber(guard), tonumber(wait), tonumber(block)
  local ttl = span - guard
  local seq = seqOf(id)
  if seq then
    persist() -- a sign of life is no new data
    local mine = waiterAt(seq)
    alive = math.max(alive, now + SIGN_OF_LIFE)
    mine.alive, mine.until_ = alive, math.max(mine.until_, now + wait)
    mine.subscribed, mine.seal = subscribed, seal
    putWaiter(mine)
  end
  expire()
  grantHeads(id)

  local function granted()
    local h = holders[id]
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
    return due, holders[ids[1]].who
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
  if seq then
    return queued()
  end
  if #ids == 0 and count == 0 then
    capacity = wanted
  elseif capacity ~= wanted then
    save()
    return { 'mismatch', now, capacity }
  end
  local request = { id = id, units = units, ttl = ttl, guard = guard, block = block, who = who }
  if count == 0 and used + units <= capacity then
    grant(request, ttl)
    return granted()
  end
  if wait == 0 then
    save()
    return { 'busy', now, present() }
  end
  request.until_, request.alive = now + wait, now + SIGN_OF_LIFE
  request.subscribed, request.since, request.seal = subscribed, nowText, seal
  enqueue(request)
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

-- @include general-path.lua
