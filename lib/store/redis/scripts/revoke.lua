-- revoke: marks the holders (their renewals are refused, their sessions told); with force it frees the units at once.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see _machine.lua); then for each key
--       reason (without spaces), force
-- Returns for each key: { marked, now, count } | { freed, now, count } | an error
local STRIDE = 2
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- @include _unknown.lua

local function general(key, at, compact)
  local force = ARGV[at + 1] == '1'
  local outcome = force and 'freed' or 'marked'
  -- @include _machine.lua
  if absent then
    return { outcome, now, 0 }
  end
  persist()
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
      touch(each)
    end
  end
  for _, each in ipairs(revoked) do
    push(each, 'r ' .. each .. ' ' .. ARGV[at])
  end
  grantHeads('')
  save()
  return { outcome, now, #revoked }
end

-- @include _each.lua
