// SPDX-License-Identifier: MIT
//
// The trivial FastCGI program of the floor case: reads a request, answers it with the same few
// bytes, keeps the connection. One thread a connection, and more threads than nginx keeps
// connections, because here a kept connection holds its thread.
#include <fcgiapp.h>

#include <thread>
#include <vector>

namespace {

constexpr int kThreads = 96;

void serve() {
  FCGX_Request request;
  FCGX_InitRequest(&request, 0, 0);
  while (FCGX_Accept_r(&request) == 0) {
    char body[4096];
    while (FCGX_GetStr(body, sizeof body, request.in) == static_cast<int>(sizeof body)) {
    }
    FCGX_PutS("Content-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"queued\":true}",
              request.out);
    FCGX_Finish_r(&request);
  }
}

}  // namespace

int main() {
  FCGX_Init();
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(serve);
  for (std::thread& thread : threads) thread.join();
}
