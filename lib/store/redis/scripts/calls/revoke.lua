-- revoke: marks the holders (their renewals are refused, their sessions told); with force it frees the units at once.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua); then for each key
--       reason (without spaces), force
-- Returns for each key: { marked, now, count, who } | { freed, now, count, who } | an error; who had the first of them
local STRIDE = 2
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- @include no-lean-path.lua

local function general(key, at, compact)
  local force = ARGV[at + 1] == '1'
  local outcome = force and 'freed' or 'marked'
  -- @include record.lua
  -- @include rules.lua
  if absent then
    return { outcome, now, 0, '' }
  end
  persist()
  expire()
  local revoked, who = {}, ''
  for _, each in ipairs(ids) do
    if not holders[each].kept then
      revoked[#revoked + 1] = each
    end
  end
  if #revoked > 0 then
    who = holders[revoked[1]].who
  end
  for _, each in ipairs(revoked) do
    if force then
      forced[#forced + 1] = { id = each, until_ = holders[each].deadline, reason = ARGV[at] }
      drop(each)
    else
      holders[each].revoked = ARGV[at]
      touch(each)
    end
  end
  while #forced > MOST_FORCED do
    forget(table.remove(forced, 1))
  end
  for _, each in ipairs(revoked) do
    push(each, 'r ' .. each .. ' ' .. ARGV[at])
  end
  grantHeads('')
  save()
  return { outcome, now, #revoked, who }
end

-- @include general-path.lua
