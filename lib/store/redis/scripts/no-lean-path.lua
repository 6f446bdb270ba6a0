-- For scripts without a lean path: nothing is known of any key, and no answer is there yet (see general-path.lua).
local records, replies = {}, {}
for index = 1, #keys do
  replies[index] = false
end
