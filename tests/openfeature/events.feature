# Written from the text of the OpenFeature specification, version 0.8, section 5, and 1.7 for the status.
Feature: Providers tell of what becomes of them

  @req-5.2.1 @req-5.2.2 @req-5.3.1 @req-5.1.2 @req-5.2.3
  Scenario: A provider that is ready says so, to the API and to its clients
    Given handlers of PROVIDER_READY, of the API and of the client
    And a ready provider
    Then the handlers ran, and were told the name of the provider

  @req-5.3.3
  Scenario: Handlers that come late run at once
    Given a ready provider
    And handlers of PROVIDER_READY, of the API and of the client
    Then the handlers ran, and were told the name of the provider

  @req-5.3.2 @req-5.1.4
  Scenario: A provider that cannot be initialized says so
    Given handlers of PROVIDER_ERROR, of the API and of the client
    And a provider that cannot be initialized, with an error of its own
    Then the handlers ran, and were told the name of the provider
    And the handlers were told a message

  @req-5.3.3
  Scenario: Handlers of an error that come late run at once
    Given a provider that cannot be initialized, with an error of its own
    And handlers of PROVIDER_ERROR, of the API and of the client
    Then the handlers ran, and were told the name of the provider

  @req-5.1.3
  Scenario: Clients of another provider are told nothing
    Given a ready provider of the domain "shop"
    And a handler of PROVIDER_CONFIGURATION_CHANGED of the client of the domain "shop"
    And a ready provider
    And handlers of PROVIDER_CONFIGURATION_CHANGED, of the API and of the client
    When the provider tells that its configuration changed
    Then the handlers ran, and were told the name of the provider
    And the handler of the domain "shop" did not run

  @req-5.2.5
  Scenario: A handler that fails keeps none of the others from running
    Given a ready provider
    And a handler of PROVIDER_CONFIGURATION_CHANGED that fails
    And handlers of PROVIDER_CONFIGURATION_CHANGED, of the API and of the client
    When the provider tells that its configuration changed
    Then the handlers ran, and were told the name of the provider

  @req-5.2.6
  Scenario: Handlers stay when the provider changes
    Given a ready provider
    And handlers of PROVIDER_CONFIGURATION_CHANGED, of the API and of the client
    When another provider is set
    And the provider tells that its configuration changed
    Then the handlers ran, and were told the name of the provider

  @req-5.2.7
  Scenario: Handlers can be removed
    Given a ready provider
    And handlers of PROVIDER_CONFIGURATION_CHANGED, of the API and of the client
    And a handler of PROVIDER_CONFIGURATION_CHANGED of the client that stays
    When the handlers are removed
    And the provider tells that its configuration changed
    Then the handler that stays ran
    And the removed handlers did not run

  @req-5.3.5 @req-1.7.3 @req-1.7.5
  Scenario Outline: Events move the status
    Given a ready provider
    When the provider tells <event>
    Then the status is soon "<status>"

    Examples:
      | event                       | status |
      | that it is stale            | STALE  |
      | of an error                 | ERROR  |
      | that its configuration changed | READY |

  @req-5.1.1 @on-device @waits
  Scenario: New rules are a change of the configuration
    Given a ready provider
    And handlers of PROVIDER_CONFIGURATION_CHANGED, of the API and of the client
    When the rules change
    Then the handlers ran, and were told the name of the provider
    And the string flag "flags.title" is soon "Welcome back"

  @req-5.1.1 @on-device @waits
  Scenario: Rules that cannot be fetched again are stale, until they can
    Given a ready provider
    And handlers of PROVIDER_STALE, of the API and of the client
    When the rules cannot be fetched any more
    Then the handlers ran, and were told the name of the provider
    And the status is soon "STALE"
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the value is true
    And the reason is "STALE"
    When the rules can be fetched again
    Then the status is soon "READY"
