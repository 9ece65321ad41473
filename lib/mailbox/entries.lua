-- SPDX-License-Identifier: MIT
--
-- Reads messages that are to be pushed later. Layouts: KEYS.md.
-- KEYS  1 scheduled
-- ARGV  1 bytes after which no further message is read  2 and so on: ids
-- Out   for each id that was read its entry, or nil if it is gone meanwhile
local entries, bytes, i = {}, 0, 2
while i <= #ARGV and bytes < ARGV[1] + 0 do
  local entry = redis.call('HGET', KEYS[1], ARGV[i])
  entries[i - 1] = entry
  bytes, i = bytes + #(entry or ''), i + 1
end
return entries
