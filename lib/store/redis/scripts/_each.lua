-- One script call serves many names. Expects: serve(key, at), whose arguments begin after ARGV[at], and
-- STRIDE, how many arguments each key has.
local replies = {}
for index = 1, #KEYS do
  local ok, reply = pcall(serve, KEYS[index], 3 + (index - 1) * STRIDE)
  if not ok then
    reply = redis.error_reply(type(reply) == 'table' and reply.err or tostring(reply))
  end
  replies[index] = reply
end
return replies
