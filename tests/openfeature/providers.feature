# Written from the text of the OpenFeature specification, version 0.8, sections 1 and 2: which provider answers, and how it comes and goes.
Feature: Providers are set, bound to domains, and shut down

  @req-1.1.2.2 @req-1.7.6 @req-1.4.8
  Scenario: Before the provider is ready, there is the default
    Given a provider whose initialization is held up
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the value is false
    And the reason is "ERROR"
    And the error code is "PROVIDER_NOT_READY"
    And the status is "NOT_READY"

  @req-1.1.2.2 @req-1.7.1
  Scenario: Once its initialization is done, it answers
    Given a provider whose initialization is held up
    When the initialization goes on
    And the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the value is true
    And the status is "READY"

  @req-1.7.4 @req-1.7.7 @req-2.4.2.1
  Scenario Outline: A provider that cannot be initialized is in error
    Given a provider that cannot be initialized, with <what>
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the status is "<status>"
    And nothing was raised

    Examples:
      | what                | status |
      | an error of its own | ERROR  |
      | ProviderFatalError  | FATAL  |

  @req-2.4.2.1 @on-device @waits
  Scenario: Without rules there is an error, which passes when they come
    Given rules that cannot be fetched
    And a provider that is set without waiting
    Then the status is soon "ERROR"
    When the rules can be fetched again
    Then the status is soon "READY"
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the value is true

  @req-2.1.1 @req-1.1.5
  Scenario: The provider says its name
    Given a ready provider
    Then the name of the provider is its own

  @req-1.1.3 @req-1.1.6 @req-1.2.2
  Scenario: A domain has a provider of its own
    Given a ready provider
    And a ready provider of the domain "shop"
    Then the clients of the domains have providers of their own
    And the client of "shop" says its domain

  @req-1.1.3 @req-1.1.6
  Scenario: A domain without a provider has the default one
    Given a ready provider
    When the flag "flags.enabled" is evaluated in the domain "elsewhere"
    Then the value is true

  @provider @req-1.1.3
  Scenario: Two domains are two properties
    Given a ready provider of the domain "shop" for the property "shop-property"
    And a ready provider of the domain "blog" for the property "blog-property"
    When the string flag "where.place" is evaluated in the domain "shop"
    Then the value is "the shop"
    When the string flag "where.place" is evaluated in the domain "blog"
    Then the value is "the blog"

  @req-1.1.2.3
  Scenario: A provider that is replaced is shut down
    Given a ready provider
    When another provider is set
    Then the first provider is soon shut down
    And the details of the boolean flag "flags.enabled" are evaluated with the default false
    And the value is true

  @req-1.1.2.3
  Scenario: A provider that a domain still has is not shut down
    Given a ready provider
    And the same provider for the domain "shop"
    When another provider is set
    Then the first provider is not shut down
    When the flag "flags.enabled" is evaluated in the domain "shop"
    Then the value is true

  @req-1.6.1 @req-2.5.1 @req-2.5.2
  Scenario: A shutdown of the API reaches every provider
    Given a ready provider
    And a ready provider of the domain "shop"
    When the API is shut down
    Then every provider was shut down
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the value is false

  @req-2.5.2
  Scenario: After a shutdown it can be set again
    Given a ready provider
    When the API is shut down
    And the same provider is set again
    And the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the value is true

  @req-1.4.8 @req-2.2.7 @on-device
  Scenario: Without rules a flag has its default
    Given rules that cannot be fetched
    And a provider that is set without waiting
    Then the status is soon "ERROR"
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the value is false
    And the error code is "PROVIDER_NOT_READY"
