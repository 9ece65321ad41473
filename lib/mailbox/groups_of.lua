-- SPDX-License-Identifier: MIT
--
-- The groups of a user, in the order of their names. A group from which the user was removed by hand
-- is forgotten. Layouts: KEYS.md.
-- KEYS  1 groups:{user}  2 letterbox:groups
-- ARGV  1 user
-- Out   their names
local key, kind = KEYS[1], 'set'
-- Part: kind.lua
if fault then return fault end
-- Part: names.lua
local names = {}
for _, name in ipairs(redis.call('SMEMBERS', key)) do
  local score = redis.pcall('ZSCORE', start .. 'group:' .. open .. name .. close, ARGV[1])
  if not score then
    redis.call('SREM', key, name)
  elseif type(score) == 'string' then
    names[#names + 1] = name
  end
end
table.sort(names)
return names
