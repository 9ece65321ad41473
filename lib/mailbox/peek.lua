-- SPDX-License-Identifier: MIT
--
-- A cheap look at many mailboxes, for one parked client of each. It returns the values as they are,
-- so that Redis spends next to nothing on it. Changes nothing. Layouts: KEYS.md.
-- KEYS  for each client: base, unacked, clients, and mailbox if the lists are to be looked at
-- ARGV  for each client: its name
-- Out   for each client in turn: base, length of unacked, the client's line, and the first elements
--       of mailbox if asked for; in the place of a value that Redis refuses, its error
local call, width = redis.pcall, #KEYS / #ARGV
local out, n = {}, 0
for i = 1, #ARGV do
  local at = (i - 1) * width
  local base = call('GET', KEYS[at + 1])
  out[n + 1] = base
  -- (If there was never a push, there is no list.)
  out[n + 2] = type(base) == 'string' and string.byte(base) == 48 and 0 or call('LLEN', KEYS[at + 2])
  out[n + 3] = call('HGET', KEYS[at + 3], ARGV[i])
  if width == 4 then out[n + 4] = call('LRANGE', KEYS[at + 4], 0, 15) end
  n = n + width
end
return out
