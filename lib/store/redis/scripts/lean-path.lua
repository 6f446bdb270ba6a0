-- One call serves many names, and most of them need no more than the lean path. Expects: records, what MGET says of the
-- keys (of a value that is no string it says what it says of no value); lean(key, record, at), whose arguments begin at
-- args[at], and which has changed nothing where it has no answer; and STRIDE, how many arguments each key has.
-- replies: what is not `now`, false where there is none yet; nil when all of them are `now`.
local replies
for index = 1, #keys do
  local reply = lean(keys[index], records[index], 2 + (index - 1) * STRIDE) or false
  if reply ~= now then
    replies = replies or {}
    replies[index] = reply
  end
end
