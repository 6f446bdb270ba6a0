-- renew: moves the deadline of holds forward and confirms pushed grants; never creates a hold.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua); then for each key
--       id, notAfter (16 digits), keep (ms from now to keep the record), span (ttl + guard, 12 digits), block, used
-- Returns for each key: "now last" (renewed, nobody waits), or
--   { renewed, now, last, waiting } | { lost, now } | { revoked, now, reason } | { late, now } | an error
local STRIDE = 6
local keys, args, sub = KEYS, ARGV, string.sub
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local nowText = string.format('%.0f', now)

-- The compact form: `id` is the only holder, and nobody waits.
local function lean(key, record, at)
  local id = args[at]
  if now > args[at + 1] + 0 then
    return { 'late', now }
  end
  if not record or sub(record, ID, ID + #id) ~= id .. ' ' or sub(record, 1, MARK) ~= 'lock1 ' then
    return nil
  end
  local since, span = sub(record, AT, AT_END), tonumber(args[at + 3])
  local deadline = since + sub(record, SPAN + #id, SPAN_END + #id)
  local first, share, block, rest = string.match(record, '^(%S+) (%S+) (%d+) (.*)$', FIRST + #id)
  if first == '=' then
    first = since
  end
  local last = first + block - 1
  if share == '*' or string.find(share, '^(%d+)/%1$') then
    last = math.max(last, args[at + 5] + args[at + 4])
  end
  if deadline <= now or since + 0 > now or deadline > now + span or last >= now + span then
    return nil
  end
  redis.call('PERSIST', key) -- a write that a full server allows, and what follows it too
  redis.call('SET', key, 'lock1 ' .. nowText .. ' ' .. id .. ' ' .. args[at + 3] .. ' ' .. first .. ' ' .. share ..
    ' ' .. last - first + 1 .. ' ' .. rest, 'PX', args[at + 2])
  return nowText .. ' ' .. string.format('%.0f', last)
end

local records = redis.call('MGET', unpack(keys))
-- @include lean-path.lua

local function general(key, at, compact)
  local id, span = args[at], tonumber(args[at + 3])
  local block, lastUsed = tonumber(args[at + 4]), tonumber(args[at + 5])
  -- @include record.lua
  -- @include rules.lua
  if absent then
    return { 'lost', now }
  end
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
    h.told = count > 0
    touch(id)
  end
  save()
  if not h or h.kept then
    return ended(id)
  end
  if h.revoked then
    return { 'revoked', now, h.revoked }
  end
  return { 'renewed', now, h.last, flag(h.told) }
end

-- @include general-path.lua
