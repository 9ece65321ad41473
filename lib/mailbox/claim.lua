-- SPDX-License-Identifier: MIT
--
-- Looks whether an Idempotency-Key was used before; if it was not, it is from now on. Layouts: KEYS.md.
-- KEYS  1 idempotency
-- ARGV  1 what is pushed with the key, as a hash  2 life of the key (ms)
-- Out   nil: the key was used with other content; else the answer that was kept, "STATUS BODY", or ''
local used = redis.pcall('GET', KEYS[1])
if type(used) == 'table' then return {err = 'BROKEN ' .. KEYS[1] .. ' is of a wrong type'} end
if not used then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ''
end
if string.sub(used, 1, #ARGV[1]) ~= ARGV[1] then return false end
return string.sub(used, #ARGV[1] + 2)
