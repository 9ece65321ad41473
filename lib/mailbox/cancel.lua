-- SPDX-License-Identifier: MIT
--
-- Takes out a message that was to be pushed later. Layouts: KEYS.md.
-- KEYS  1 scheduled
-- ARGV  1 id
-- Out   whether it was there
local schedule_key, id = KEYS[1], ARGV[1]
local there = redis.pcall('HEXISTS', schedule_key, id)
if there ~= 1 then return there end
-- Part: unschedule.lua
return 1
