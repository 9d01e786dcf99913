-- Sends requests that were written and signed beforehand: records of one length in one file. Every thread has a
-- stretch of its own, so that no request is sent twice; one that runs out says so and begins again.
-- wrk -s load.lua URL -- FILE RECORD_BYTES FIRST_RECORD RECORDS_PER_THREAD
local BLOCK = 128 -- records per read

local threads = {}

-- BENCH_ADDRESSES=host:port,host:port ..: the threads take them in turn, instead of the URL's.
local addresses = {}
for host, port in (os.getenv("BENCH_ADDRESSES") or ""):gmatch("([^:,]+):(%d+)") do
   addresses[#addresses + 1] = { host = host, port = port }
end

function setup(thread)
   thread:set("index", #threads)
   if #addresses > 0 then
      local address = addresses[#threads % #addresses + 1]
      thread.addr = wrk.lookup(address.host, address.port)[1]
   end
   threads[#threads + 1] = thread
end

function init(args)
   length = tonumber(args[2])
   count = tonumber(args[4])
   first = tonumber(args[3]) + index * count
   file = assert(io.open(args[1], "rb"))
   block, at, left, ran_out = "", 0, 0, -1
end

local function next_block()
   if left == 0 then
      file:seek("set", first * length)
      left = count
      ran_out = ran_out + 1
   end
   local records = math.min(BLOCK, left)
   left = left - records
   return file:read(length * records)
end

function request()
   if at >= #block then
      block = next_block()
      at = 0
   end
   at = at + length
   return block:sub(at - length + 1, at)
end

function done(summary, latency, requests)
   local out = 0
   for _, thread in ipairs(threads) do out = out + thread:get("ran_out") end
   local errors = summary.errors
   print(string.format(
      'RESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,"bad_status":%d,"broken":%d,"ran_out":%d}',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
      errors.status, errors.connect + errors.read + errors.write + errors.timeout, out))
end
