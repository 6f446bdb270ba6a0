-- The part of the machine that every script shares (lock-machine.ts and settle.ts are its reference).
-- Expects: key, id, now, fenceMemory, and the reply r of HMGET over FIELDS.
-- Fields of the hash: v, capacity, fence, ids (of the holders, in order), released, first and next (seq of the
-- head and of the next waiter), count (of waiters), alive, done; and
--   h:<id>  "deadline units last span flags"      i:<id>  "first since who"
--   q:<seq> "id units ttl guard block until alive subscribed since who"      w:<id>  seq
-- flags: 1 told, 2 revoked, 4 kept.
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

-- The span is what is left now, so that a shorter renewal takes nothing back of what was promised before.
local function extend(h, span)
  h.deadline = math.max(h.deadline, now + span)
  h.span = h.deadline - now
end

-- Writes what stands for the whole name. The record lives as long as a holder or a waiter may, and until the
-- clock has caught up with the fence.
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

-- False when the server knows that nobody listens; an error (PUBLISH denied) is no such knowledge.
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
  -- No more than the span in microseconds: a claim that dies may not carry the fence ahead of the clock.
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

-- The unused rest of a fence block goes back, unless somebody was granted since.
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
