-- Loads and saves the record of one name; layout.lua says what stands where.
-- Expects: key, now, compact (the record where it is known to be a string, else false), and in ARGV[1] the terms of the
-- store: "fenceMemory countable prefix", where countable is 1 when a PUBLISH count of 0 means that nobody listens, and
-- prefix is what the names of channels begin with. In a cluster countable is "0@server", and a grant says which server
-- pushed it.

local fenceMemory, countable, server, prefix = string.match(ARGV[1], '^(%d+) (%d)(%S*) (.*)$')
fenceMemory = tonumber(fenceMemory)

-- Load.

local stored = {}
if not compact then
  stored = redis.pcall('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive',
    'done', 'forced')
  if stored.err then -- a string after all, or what is no record
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
-- touched: written at the commit; gone: removed by it; waiters: those of a compact record by seq.
local ids, holders, used, dirty, touched, gone, waiters = {}, {}, 0, false, {}, {}, {}
-- Holds that were ended by force: { id, until, reason }, the reason only of those that are new.
local forced = {}
for each, until_ in string.gmatch(stored[11] or '', '(%S+) (%d+)') do
  forced[#forced + 1] = { id = each, until_ = tonumber(until_) }
end

local function text(number)
  return string.format('%.0f', number)
end

local function sharesOf(share)
  if share == '*' then
    return WHOLE, WHOLE
  end
  local units, capacity_ = string.match(share, '^(%d+)/(%d+)$')
  return tonumber(units), tonumber(capacity_)
end

local function shareOf(units)
  return units == WHOLE and capacity == WHOLE and '*' or string.format('%.0f/%.0f', units, capacity)
end

-- The holders of the general form.
for each in string.gmatch(stored[4] or '', '%S+') do
  ids[#ids + 1] = each
  local fields = redis.call('HMGET', key, 'h:' .. each, 'i:' .. each)
  local deadline, units, last, span, flags = string.match(fields[1], '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  local first_, since, who = string.match(fields[2], '^(%d+) (%d+) (.*)$')
  flags = tonumber(flags)
  holders[each] = {
    deadline = tonumber(deadline),
    units = tonumber(units),
    last = tonumber(last),
    span = tonumber(span),
    told = flags % 2 == 1,
    revoked = flags % 4 > 1 and (redis.call('HGET', key, 'r:' .. each) or ''),
    kept = flags > 3,
    first = tonumber(first_),
    since = tonumber(since),
    who = who,
  }
  used = used + units
end

-- The waiter in such a text.
local function waiterIn(raw, seq)
  local w = { seq = seq }
  local until_, alive_, ttl, guard, block, share
  w.subscribed, w.seal, until_, alive_, w.since, ttl, guard, block, w.id, share, w.who = string.match(raw,
    '^%d+ (%d) %d+ %d+ %d+ (%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) %d+ = (%S+) %d+ (.*)$')
  w.units = sharesOf(share)
  w.until_, w.alive = tonumber(until_), tonumber(alive_)
  w.ttl, w.guard, w.block = tonumber(ttl), tonumber(guard), tonumber(block)
  return w
end

-- The compact form.
if compact then
  local alone, queue = compact, nil
  if string.byte(compact, MARK) == PLUS then
    alone, alive, next, queue = string.match(compact, '^(.-)\n(%d+) (%d+)\n(.*)$')
    alive, next = tonumber(alive), tonumber(next)
    for seq, raw in string.gmatch(queue, '(%d+) ([^\n]*)') do
      count, seq = count + 1, tonumber(seq)
      if count == 1 then
        first = seq
      end
      waiters[seq] = waiterIn(raw, seq)
    end
  end
  local at_, id_, span, first_, share, block, who, released_ =
    string.match(alone, '^lock1.(%d+) (%S+) (%d+) (%S+) (%S+) (%d+) (.*) (%S+)$')
  if id_ then
    first_ = tonumber(first_ == '=' and at_ or first_)
    fence = first_ + block - 1
    ids[1], released = id_, released_
    used, capacity = sharesOf(share)
    holders[id_] = { deadline = at_ + span, units = used, last = fence, span = tonumber(span), told = count > 0,
      revoked = false, kept = false, first = first_, since = first_, who = who }
    touched[id_] = true
  else
    fence, released = string.match(alone, '^lock1 %- (%d+) (%S+)$')
    fence = tonumber(fence)
  end
  if released == '-' then
    released = ''
  end
end

-- Change.

-- A first write that needs no room: after it, a full server allows the others, too. The commit sets the expiry again.
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

-- Removes what is stored of a hold that was ended by force.
local function forget(end_)
  gone[#gone + 1] = end_.id
  dirty = true
end

local function seqOf(each)
  if not compact then
    return tonumber(redis.call('HGET', key, 'w:' .. each) or nil)
  end
  for seq, w in pairs(waiters) do
    if w.id == each then
      return seq
    end
  end
end

local function waiterAt(seq)
  if compact then
    return waiters[seq]
  end
  local raw = redis.call('HGET', key, 'q:' .. seq)
  return raw and waiterIn(raw, seq)
end

-- The claim of a pushed grant: how long it lasts, and how many fences it has; no more than it has microseconds.
local function claimOf(w)
  local span = math.min(CLAIM_WINDOW, w.ttl)
  return span, w.units == capacity and math.min(w.block, span) or 1
end

-- A waiter as text, with what a lean hand-off to it would write and say.
local function rawOf(w)
  local claim, size = claimOf(w)
  return string.format('%016.0f %s %.0f %.0f %.0f %s %.0f %.0f %s %.0f %.0f %.0f %s %012.0f = %s %.0f %s',
    math.min(w.until_, w.alive), w.subscribed, math.ceil((claim + w.guard) / 1000), claim, size, w.seal, w.until_,
    w.alive, w.since, w.ttl, w.guard, w.block, w.id, claim + w.guard, shareOf(w.units), size, w.who)
end

local function writeWaiter(w)
  redis.call('HSET', key, 'q:' .. w.seq, rawOf(w), 'w:' .. w.id, w.seq)
end

-- Ends the compact form, so that fields can be written; the commit writes the rest of what the compact form said.
local function toHash()
  if compact then
    redis.call('APPEND', key, '') -- changes nothing, and fails on a full server, which DEL would not
    redis.call('DEL', key)
    compact = false
    for _, w in pairs(waiters) do
      writeWaiter(w)
    end
    waiters = {}
  end
end

local function putWaiter(w)
  dirty = true
  if compact and (waiters[w.seq] or count < FEW) then
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

-- Save.

-- The record in the compact form, where it has one; nil otherwise. A general record with waiters stays general until
-- the last of them has left.
local function compactForm()
  if done > now or #ids > 1 or #forced > 0 or count > 0 and (#ids == 0 or not compact) then
    return nil
  end
  local before = released == '' and '-' or released
  if #ids == 0 then
    return string.format('lock1 - %016.0f %s', fence, before)
  end
  local h = holders[ids[1]]
  if h.told ~= (count > 0) or h.revoked or h.kept or fence ~= h.last or h.since ~= h.first or h.deadline < h.span then
    return nil
  end
  local at = h.deadline - h.span
  local alone = string.format('lock1%s%016.0f %s %012.0f %s %s %.0f %s %s', h.told and '+' or ' ', at, ids[1], h.span,
    h.first == at and '=' or text(h.first), shareOf(h.units), h.last - h.first + 1, h.who, before)
  if count == 0 then
    return alone
  end
  local lines = { alone, string.format('%.0f %.0f', alive, next) }
  for seq = first, next - 1 do
    if waiters[seq] then
      lines[#lines + 1] = seq .. ' ' .. rawOf(waiters[seq])
    end
  end
  return table.concat(lines, '\n')
end

local function writeHash()
  toHash()
  for _, each in ipairs(gone) do
    redis.call('HDEL', key, 'h:' .. each, 'i:' .. each, 'r:' .. each)
  end
  for each in pairs(touched) do
    local h = holders[each]
    local flags = (h.told and 1 or 0) + (h.revoked and 2 or 0) + (h.kept and 4 or 0)
    redis.call('HSET', key,
      'h:' .. each, string.format('%.0f %.0f %.0f %.0f %d', h.deadline, h.units, h.last, h.span, flags),
      'i:' .. each, string.format('%.0f %.0f %s', h.first, h.since, h.who))
    if h.revoked then
      redis.call('HSET', key, 'r:' .. each, h.revoked)
    end
  end
  if #forced > 0 then
    local ends = {}
    for place, end_ in ipairs(forced) do
      ends[place] = end_.id .. ' ' .. text(end_.until_)
      if end_.reason then
        redis.call('HSET', key, 'r:' .. end_.id, end_.reason)
        end_.reason = nil
      end
    end
    redis.call('HSET', key, 'forced', table.concat(ends, ' '))
  elseif stored[11] then
    redis.call('HDEL', key, 'forced')
  end
  if count == 0 then
    redis.call('HDEL', key, 'first', 'next', 'count', 'alive')
  else
    redis.call('HSET', key, 'first', first, 'next', next, 'count', count, 'alive', text(alive))
  end
  redis.call('HSET', key, 'v', '1', 'capacity', text(capacity), 'fence', text(fence),
    'ids', table.concat(ids, ' '), 'released', released, 'done', text(done))
end

-- Writes what has changed. The record lives as long as a holder or a waiter may, and until the clock has passed
-- the fence.
local function commit()
  if absent and #ids == 0 and count == 0 then
    return
  end
  if #ids == 0 and count == 0 then
    capacity = 0
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
    local expiry = text(math.ceil((latest + fenceMemory) / 1000))
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
