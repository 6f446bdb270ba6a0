-- renew: moves the deadline of holds forward and confirms pushed grants; never creates a hold.
-- KEYS: the records
-- ARGV: 1 fenceMemory  2 channel prefix  3 count is known; then for each key
--       id, notAfter, keep (ms from now to keep the record), span (ttl + guard), block, used
-- Returns for each key: "now last" (renewed, nobody waits), or
--   { renewed, now, last, waiting } | { lost, now } | { revoked, now } | { late, now } | an error
local STRIDE = 6
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local nowText = string.format('%.0f', now)

local function general(key, id, span, block, lastUsed)
  local fenceMemory, prefix, countable = tonumber(ARGV[1]), ARGV[2], ARGV[3]
  -- @include _machine.lua
  if absent then
    return { 'lost', now }
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
    touch(id)
  end
  grantHeads('')
  if usable then
    h.told = count > 0
    touch(id)
  end
  commit()
  if not h or h.kept then
    return { 'lost', now }
  end
  if h.revoked then
    return { 'revoked', now }
  end
  return { 'renewed', now, h.last, flag(h.told) }
end

local function serve(key, at)
  local id, notAfter = ARGV[at + 1], ARGV[at + 2]
  if notAfter ~= '' and now > tonumber(notAfter) then
    return { 'late', now }
  end
  local span, block, lastUsed = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  -- The lean path: the only holder, nobody waits, nothing about it is special.
  local record = redis.pcall('GET', key)
  local holder, since, first, last, released, units, capacity, before, reserved, who
  if type(record) == 'string' then
    holder, since, first, last, released, units, capacity, before, reserved, who =
      string.match(record, '^lock1 (%S+) (%d+) (%d+) (%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (.*)$')
  end
  if holder ~= id or since + before <= now or tonumber(since) > now or since + before > now + span then
    return general(key, id, span, block, lastUsed)
  end
  last = last == '-' and first + reserved - 1 or tonumber(last)
  if units == capacity then
    last = math.max(last, lastUsed + block)
  end
  if last >= now + span then
    return general(key, id, span, block, lastUsed)
  end
  local lastText = string.format('%.0f', last)
  redis.call('PERSIST', key) -- a write that a full server allows, and what follows it too
  redis.call('SET', key, 'lock1 ' .. id .. ' ' .. nowText .. ' ' .. first .. ' ' .. lastText .. ' ' .. released ..
    ' ' .. units .. ' ' .. capacity .. ' ' .. ARGV[at + 4] .. ' 0 ' .. who, 'PX', ARGV[at + 3])
  return nowText .. ' ' .. lastText
end

-- @include _each.lua
