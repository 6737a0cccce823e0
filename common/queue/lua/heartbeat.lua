#!lua flags=allow-oom
-- A worker lives: extends its leases.
-- KEYS: 1 meta. ARGV: 1 worker, 2 what to show of it (host \n version \n slots \n busy \n classes \n memory), 3 lease in ms,
-- 4… tokens. Returns the tokens that own nothing any more.
--!include farm.lua
local time = now()
call('HSET', P .. 'workers', ARGV[1], string.format('%d\n', time) .. ARGV[2])
call('ZADD', P .. 'seen', time, ARGV[1])
local lost = {}
for i = 4, #ARGV do
  if call('ZSCORE', P .. 'leases', ARGV[i]) then
    call('ZADD', P .. 'leases', 'XX', 'GT', time + tonumber(ARGV[3]), ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
