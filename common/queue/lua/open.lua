#!lua flags=allow-oom
-- Makes the farm's keys of schema 5 unless they exist, or those of an earlier one do: such a farm is drained by its own programs. Run by every new
-- connection, so also where Redis is full: whoever finds no other connection could not commit.
-- KEYS: 1 meta. ARGV: none.
-- Returns the farm's schema: anything but "5" is another program's.
for _, before in ipairs({'1', '2', '3', '4'}) do
  local earlier = redis.call('HGET', (string.gsub(KEYS[1], ':v5:meta$', ':v' .. before .. ':meta')), 'schema')
  if earlier then return earlier end
end
redis.call('HSETNX', KEYS[1], 'schema', '5')
return redis.call('HGET', KEYS[1], 'schema')
