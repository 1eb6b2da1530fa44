// Queries of a made-up network whose truth is known, the same in every run: people and machines at their ordinary work,
// and attacks mixed in, each with a subject, a beginning and an end. Second by second, in order of time.
//
// Ordinary are: names by Zipf's law, hosts of content networks that look random, search suffixes that do not exist, the
// names a browser makes up to test the network, reverse look-ups of both families, a mail server that asks blocklists,
// MX, SPF, DKIM and DMARC, machines that ask for the time and for updates like clockwork, one that asks when its answer
// has run out, validators that ask for keys, a monitor.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace bindcast::traffic {

enum class Kind : std::uint8_t { nxdomain_client, nxdomain_domain, tunnel, amplification, beacon, infected };

struct Question {
  std::int64_t at_us = 0;
  std::string name;  // presentation form without escapes
  std::uint16_t qtype = 1, rcode = 0;
  std::uint32_t client = 0;  // 10.x.y.z, by its number
  const char* policy_zone = nullptr;
};

struct Attack {
  Kind kind = Kind::tunnel;
  std::uint32_t client = 0;  // the subject, or the first of those who do it
  std::string domain;        // the subject, or what is asked
  std::int64_t begin_s = 0, end_s = 0;
  double per_second = 0;
  bool text = false;  // a tunnel by TXT
};

inline std::string client_text(std::uint32_t client) {
  return "10." + std::to_string(client >> 16 & 255) + "." + std::to_string(client >> 8 & 255) + "." +
         std::to_string(client & 255);
}

class Traffic {
 public:
  explicit Traffic(std::uint64_t seed, double rate = 100) : random_(seed), rate_(rate) {
    for (int i = 0; i < kNames; ++i) weights_.push_back((weights_.empty() ? 0 : weights_.back()) + 1.0 / (i + 3));
  }

  // Ordinary people ask so many times more, or less.
  void set_level(double level) { level_ = level; }
  // All that is ordinary comes through one resolver.
  void behind_one_resolver() { one_resolver_ = true; }
  void add(Attack attack) { attacks_.push_back(std::move(attack)); }

  // All questions of that second, in order.
  const std::vector<Question>& second(std::int64_t second) {
    now_s_ = second;
    all_.clear();
    ordinary();
    if (one_resolver_)
      for (Question& question : all_) question.client = 1;
    for (const Attack& attack : attacks_)
      if (second >= attack.begin_s && second < attack.end_s) attack_now(attack);
    std::ranges::stable_sort(all_, {}, &Question::at_us);
    return all_;
  }

  std::uint64_t number(std::uint64_t below) { return random_() % below; }
  double chance() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  std::string letters(std::size_t count, std::string_view from = "abcdefghijklmnopqrstuvwxyz") {
    std::string text;
    while (text.size() < count) text += from[number(from.size())];
    return text;
  }

 private:
  static constexpr int kNames = 4000;
  static constexpr std::uint32_t kPeople = 400, kMail = 0x00ff19, kLogs = 0x00ff20, kMonitor = 0x00ff21;
  static constexpr std::uint16_t kA = 1, kPtr = 12, kMx = 15, kTxt = 16, kAaaa = 28, kDs = 43, kDnskey = 48,
                                 kHttps = 65;
  static constexpr std::string_view kHex = "0123456789abcdef", kBase32 = "abcdefghijklmnopqrstuvwxyz234567";

  void ask(std::uint32_t client, std::string name, std::uint16_t qtype, std::uint16_t rcode = 0, double after_s = -1) {
    const double at = after_s < 0 ? chance() : after_s;
    all_.push_back({.at_us = now_s_ * 1'000'000 + static_cast<std::int64_t>(at * 1e6),
                    .name = std::move(name),
                    .qtype = qtype,
                    .rcode = rcode,
                    .client = client});
  }

  // About so many a second.
  int count(double per_second) {
    const double whole = std::floor(per_second);
    return static_cast<int>(whole) + (chance() < per_second - whole ? 1 : 0);
  }

  int popular() {
    return static_cast<int>(std::ranges::lower_bound(weights_, chance() * weights_.back()) - weights_.begin());
  }

  static std::string site(int number) {
    static constexpr const char* kWords[] = {"cloud", "shop",  "news",   "data", "play",  "mobile", "travel", "media",
                                             "bank",  "green", "studio", "auto", "daily", "health", "open",   "link"};
    static constexpr const char* kEnds[] = {"com", "net", "org", "de", "co.uk", "com.au", "io", "info"};
    return std::string(kWords[number % 16]) + kWords[number / 16 % 16] + std::to_string(number) + "." +
           kEnds[number % 8];
  }

  // A host of the content network, the same for everybody who looks at that site.
  std::string content_host(int site_number) {
    std::mt19937_64 of_site(static_cast<std::uint64_t>(site_number));
    const auto some = [&](std::size_t count, std::string_view from) {
      std::string text;
      while (text.size() < count) text += from[of_site() % from.size()];
      return text;
    };
    switch (of_site() % 5) {
      case 0:
        return "d" + some(13, "0123456789abcdefghijklmnopqrstuvwxyz") + ".cloudfront.net";
      case 1:
        return "e" + some(5, "0123456789") + ".dscb.akamaiedge.net";
      case 2:
        return "rr" + some(1, "12345678") + "---sn-" + some(8, kBase32) + ".googlevideo.com";
      case 3:  // a balancer: as long as a tunnel's names
        return "internal-k8s-" + some(8, kBase32) + "-" + some(6, kBase32) + "-" + some(10, kHex) + "-" +
               some(10, "0123456789") + ".eu-central-1.elb.amazonaws.com";
      default:
        return some(8, kHex) + "-" + some(4, kHex) + "-" + some(4, kHex) + "-" + some(12, kHex) +
               ".blob.example-cdn.net";
    }
  }

  void ordinary() {
    static constexpr const char* kHosts[] = {"www", "api", "cdn", "mail", "static", "img", "login", "edge"};
    for (int n = count(rate_ * level_ * 0.45); n > 0; --n) {
      const auto client = static_cast<std::uint32_t>(number(kPeople));
      const int number_of_site = popular();
      std::string name = std::string(kHosts[number(8)]) + "." + site(number_of_site);
      const double at = chance();
      ask(client, name, kA, 0, at);
      if (chance() < 0.6) ask(client, name, kAaaa, 0, at);
      if (chance() < 0.2) ask(client, name, kHttps, 0, at);
      if (chance() < 0.25) ask(client, content_host(number_of_site), kA, 0, at);
      if (chance() < 0.06) ask(client, name + ".corp.example.org", kA, 3, at);         // by a search list
      if (chance() < 0.02) ask(client, site(number_of_site) + letters(1), kA, 3, at);  // a typing error
      if (chance() < 0.01)                                                             // a browser starts
        for (int probe = 0; probe < 3; ++probe) ask(client, letters(7 + number(8)), kA, 3, at);
    }
    for (int n = count(2); n > 0; --n)
      ask(kLogs,
          std::to_string(number(256)) + "." + std::to_string(number(256)) + "." + std::to_string(number(256)) + "." +
              std::to_string(1 + number(220)) + ".in-addr.arpa",
          kPtr, chance() < 0.4 ? 3 : 0);
    for (int n = count(1); n > 0; --n) {
      std::string name;
      for (int nibble = 0; nibble < 32; ++nibble) name += letters(1, kHex) + ".";
      ask(kLogs, name + "ip6.arpa", kPtr, chance() < 0.6 ? 3 : 0);
    }
    for (int n = count(1.5); n > 0; --n) mail();
    machines();
  }

  void mail() {
    const std::string from = site(static_cast<int>(number(800)));
    const std::string address = std::to_string(number(256)) + "." + std::to_string(number(256)) + "." +
                                std::to_string(number(256)) + "." + std::to_string(1 + number(220));
    ask(kMail, address + ".in-addr.arpa", kPtr, chance() < 0.2 ? 3 : 0);
    for (const char* list : {"zen.spamhaus.org", "bl.spamcop.net", "b.barracudacentral.org"})
      ask(kMail, address + "." + list, kA, chance() < 0.7 ? 3 : 0);
    if (chance() < 0.6) ask(kMail, from + ".dbl.spamhaus.org", kA, chance() < 0.9 ? 3 : 0);
    ask(kMail, from, kMx);
    ask(kMail, from, kTxt);
    ask(kMail, "_dmarc." + from, kTxt, chance() < 0.3 ? 3 : 0);
    ask(kMail, (chance() < 0.5 ? "selector1" : "20230601") + std::string("._domainkey.") + from, kTxt);
    if (chance() < 0.2) ask(kMail, address + "._ip.mail." + from + "._ehlo." + from + "._spf.vali.example", kA);
    if (chance() < 0.1) ask(kMail, "k3n7xq2f5w6b4m9zt8v1c0d5y2h7j4r6._domainkey.amazonses.com", kTxt);
  }

  void machines() {
    for (std::uint32_t client = 0; client < 60; ++client)
      if ((now_s_ + client) % 64 == 0) ask(client, "2.time.pool.example.net", kA, 0, 0.001 * client);
    for (std::uint32_t client = 0; client < 120; ++client)
      if ((now_s_ + 3 * client) % 300 == 0) ask(client, "updates.vendor.example.com", kA, 0, 0.002 * client);
    if (now_s_ % 5 == 0) {  // a monitor of four services, which the office uses too
      const int service = static_cast<int>(now_s_ / 5 % 4);
      ask(kMonitor, "app" + std::to_string(service) + ".corp.example.org", kA, 0, 0.5);
    }
    if (chance() < 0.1)
      ask(static_cast<std::uint32_t>(number(kPeople)), "app" + std::to_string(number(4)) + ".corp.example.org", kA);
    if (now_s_ >= answer_runs_out_s_) {  // one that keeps the answer for its time, and asks when it wants it again
      ask(77, "calendar.corp.example.org", kA);
      answer_runs_out_s_ = now_s_ + 300 + static_cast<std::int64_t>(-40 * std::log(1 - chance()));
    }
    if (chance() < 0.3) ask(kMonitor, site(popular()), kDnskey);
    if (chance() < 0.5) ask(kMonitor, site(popular()), kDs);
  }

  void attack_now(const Attack& attack) {
    const int times = count(attack.per_second);
    switch (attack.kind) {
      case Kind::nxdomain_client:  // names made up by an algorithm, looked for one after the other
        for (int n = 0; n < times; ++n) ask(attack.client, letters(12 + number(6)) + ".com", kA, 3);
        break;
      case Kind::nxdomain_domain:  // by open resolvers all over the world
        for (int n = 0; n < times; ++n)
          ask(0x400000 + static_cast<std::uint32_t>(number(2000)), letters(6 + number(10)) + "." + attack.domain, kA,
              3);
        break;
      case Kind::tunnel:
        for (int n = 0; n < times; ++n) {
          std::string name = letters(40 + number(20), attack.text ? kHex : kBase32) + ".";
          if (chance() < 0.7) name += letters(30 + number(30), attack.text ? kHex : kBase32) + ".";
          ask(attack.client, name + attack.domain, attack.text ? kTxt : kA);
        }
        break;
      case Kind::amplification:  // in the name of hosts of one network
        for (int n = 0; n < times; ++n)
          ask((attack.client & 0xffff00) + static_cast<std::uint32_t>(number(4)), attack.domain,
              std::uint16_t{attack.text ? kTxt : std::uint16_t{255}});
        break;
      case Kind::beacon: {  // every 1 / per_second, less exactly than a clock
        const auto period_s = static_cast<std::int64_t>(std::lround(1 / attack.per_second));
        if ((now_s_ - attack.begin_s) % period_s == 0)
          ask(attack.client, attack.domain, kA, 0,
              0.4 + 0.02 * chance() * static_cast<double>(std::min<std::int64_t>(period_s, 25)));
        break;
      }
      case Kind::infected:
        for (int n = 0; n < times; ++n) {
          ask(attack.client, letters(8) + ".bad.example", kA, 3);
          all_.back().policy_zone = attack.text ? "phish.feed" : "rpz.malware";
        }
        break;
    }
  }

  std::mt19937_64 random_;
  double rate_, level_ = 1;
  bool one_resolver_ = false;
  std::vector<double> weights_;  // summed up
  std::vector<Attack> attacks_;
  std::vector<Question> all_;
  std::int64_t now_s_ = 0, answer_runs_out_s_ = 0;
};

}  // namespace bindcast::traffic
