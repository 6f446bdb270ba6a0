-- revoke: marks the holders (their renewals are refused, their sessions told); with force it frees the units
--   at once, also those that are kept for a minimum hold.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua); then for each key
--       reason (without spaces), force
-- Returns for each key: { marked, now, count, holder } | { freed, now, count, holder } | an error; holder is the identity of
--   the first of them
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
  -- Only so many are remembered, and of what was given back hardly anybody asks: the others come last, and stay.
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
  while #forced > MOST_FORCED do
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
