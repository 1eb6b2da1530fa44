// Who may come in: the token file and the configuration's tokens.

#include "harness.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "plugin/server/identity.hpp"

namespace {

using namespace bindcast;

struct Folder {
  std::string path;
  std::vector<std::pair<LogLevel, std::string>> lines;
  Folder() {
    char name[] = "/tmp/bindcast-identity-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() {
    unlink(file().c_str());
    unlink((path + "/elsewhere").c_str());
    rmdir(path.c_str());
  }
  [[nodiscard]] std::string file() const { return path + "/bindcast.token"; }
  Log log() {
    return [this](LogLevel level, const std::string& line) { lines.emplace_back(level, line); };
  }
  [[nodiscard]] std::string token() const {
    std::ifstream in(file());
    std::string text;
    std::getline(in, text);
    return text;
  }
  void write(const std::string& text, mode_t mode) const {
    std::ofstream(file()) << text;
    chmod(file().c_str(), mode);
  }
  [[nodiscard]] mode_t mode() const {
    struct stat status {};
    stat(file().c_str(), &status);
    return status.st_mode & 07777;
  }
  [[nodiscard]] bool logged(LogLevel level, const std::string& part) const {
    for (const auto& [l, line] : lines)
      if (l == level && line.find(part) != std::string::npos) return true;
    return false;
  }
  [[nodiscard]] bool told(const std::string& secret) const {
    for (const auto& [l, line] : lines)
      if (line.find(secret) != std::string::npos) return true;
    return false;
  }
};

constexpr char kOwnToken[] = "an-admin-made-this-token-0123456789";

// Of "backup-secret".
constexpr char kBackupSecretSha256[] = "d02145a17d552f6c32f2659e631c1fc1f39214df9f481e254402720e4b045647";

void the_first_start_makes_a_token_for_its_owner_alone(void**) {
  Folder folder;
  const Identity identity(AuthOptions{}, folder.path, folder.log());
  const std::string token = folder.token();
  assert_int_equal(token.size(), 43);  // 32 bytes in base64url
  assert_int_equal(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                   std::string::npos);
  assert_int_equal(folder.mode(), 0600);
  const auto user = identity.authenticate(token);
  assert_true(user.has_value());
  assert_true(user->has_role("admin"));
  assert_true(folder.logged(LogLevel::info, "bindcast.token"));
  assert_false(folder.told(token));
}

void two_first_starts_make_two_tokens(void**) {
  Folder a, b;
  const Identity first(AuthOptions{}, a.path, a.log()), second(AuthOptions{}, b.path, b.log());
  assert_string_not_equal(a.token().c_str(), b.token().c_str());
  assert_false(first.authenticate(b.token()).has_value());
}

void a_later_start_keeps_the_token(void**) {
  Folder folder;
  folder.write(std::string(kOwnToken) + "\n", 0600);
  const Identity identity(AuthOptions{}, folder.path, folder.log());
  assert_text(folder.token(), kOwnToken);
  assert_true(identity.authenticate(kOwnToken).has_value());
}

void whatever_is_not_the_token_is_refused(void**) {
  Folder folder;
  folder.write(std::string(kOwnToken) + "\n", 0600);
  const Identity identity(AuthOptions{}, folder.path, folder.log());
  const std::string token = kOwnToken;
  const std::string wrong[] = {"",          token + "x",  token.substr(1),           token.substr(0, token.size() - 1),
                               token + " ", token + "\n", std::string(100'000, 'x'), token + std::string(1, '\0')};
  for (const std::string& text : wrong) assert_false(identity.authenticate(text).has_value());
}

void a_file_that_others_could_read_is_mended_and_said(void**) {
  Folder folder;
  folder.write(std::string(kOwnToken) + "\n", 0644);
  const Identity identity(AuthOptions{}, folder.path, folder.log());
  assert_int_equal(folder.mode(), 0600);
  assert_true(folder.logged(LogLevel::warning, "bindcast.token"));
  assert_true(identity.authenticate(kOwnToken).has_value());
}

void a_file_without_a_token_is_said_and_left_alone(void**) {
  for (const std::string& text : {std::string(), std::string("short\n"), std::string(4000, 'x'),
                                  std::string("a token with blanks is no token at all....")}) {
    Folder folder;
    folder.write(text, 0600);
    const Identity identity(AuthOptions{}, folder.path, folder.log());
    assert_true(folder.logged(LogLevel::error, "bindcast.token"));
    assert_false(identity.authenticate(text).has_value());
    std::ifstream in(folder.file());
    assert_text(std::string(std::istreambuf_iterator<char>(in), {}), text);
  }
}

// Somebody who can write to the directory must not make us read or write another file.
void a_symbolic_link_is_not_followed(void**) {
  Folder folder;
  std::ofstream(folder.path + "/elsewhere") << kOwnToken << "\n";
  assert_int_equal(symlink((folder.path + "/elsewhere").c_str(), folder.file().c_str()), 0);
  const Identity identity(AuthOptions{}, folder.path, folder.log());
  assert_false(identity.authenticate(kOwnToken).has_value());
  assert_true(folder.logged(LogLevel::error, "bindcast.token"));
}

void a_directory_that_is_not_there_is_an_error_and_no_token(void**) {
  Folder folder;
  const Identity identity(AuthOptions{}, folder.path + "/none", folder.log());
  assert_true(folder.logged(LogLevel::error, "none/bindcast.token"));
  assert_false(identity.authenticate("").has_value());
}

void tokens_of_the_configuration_carry_their_roles_and_can_change(void**) {
  Folder folder;
  AuthOptions options;
  options.tokens.push_back({.name = "backup-job", .sha256 = kBackupSecretSha256, .roles = {"publisher", "viewer"}});
  Identity identity(options, folder.path, folder.log());
  const auto user = identity.authenticate("backup-secret");
  assert_true(user.has_value());
  assert_text(user->name, "backup-job");
  assert_true(user->has_role("publisher"));
  assert_false(user->has_role("admin"));
  assert_false(identity.authenticate(options.tokens[0].sha256).has_value());  // the hash is not the token

  identity.configure(AuthOptions{});
  assert_false(identity.authenticate("backup-secret").has_value());
  assert_true(identity.authenticate(folder.token()).has_value());
}

void open_mode_makes_no_file_until_it_ends(void**) {
  Folder folder;
  AuthOptions options;
  options.mode = AuthOptions::Mode::open;
  Identity identity(options, folder.path, folder.log());
  assert_true(identity.open());
  assert_int_not_equal(access(folder.file().c_str(), F_OK), 0);
  assert_true(Identity::anybody().has_role("admin"));
  identity.configure(AuthOptions{});
  assert_false(identity.open());
  assert_true(identity.authenticate(folder.token()).has_value());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_first_start_makes_a_token_for_its_owner_alone),
      cmocka_unit_test(two_first_starts_make_two_tokens),
      cmocka_unit_test(a_later_start_keeps_the_token),
      cmocka_unit_test(whatever_is_not_the_token_is_refused),
      cmocka_unit_test(a_file_that_others_could_read_is_mended_and_said),
      cmocka_unit_test(a_file_without_a_token_is_said_and_left_alone),
      cmocka_unit_test(a_symbolic_link_is_not_followed),
      cmocka_unit_test(a_directory_that_is_not_there_is_an_error_and_no_token),
      cmocka_unit_test(tokens_of_the_configuration_carry_their_roles_and_can_change),
      cmocka_unit_test(open_mode_makes_no_file_until_it_ends),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
