package atlas;

import jakarta.servlet.http.HttpServletResponse;
import java.util.List;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.cors.CorsConfiguration;
import org.springframework.web.cors.UrlBasedCorsConfigurationSource;
import org.springframework.web.filter.CorsFilter;
import org.springframework.web.servlet.config.annotation.CorsRegistry;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/** Spring MVC with its global mapping, or with the argument {@code --layer=filter} with a CorsFilter. */
@SpringBootApplication
@RestController
public class Application {
  private static final String ORIGIN = System.getenv("ORIGIN");
  private static final Map<String, Boolean> BODY = Map.of("ok", true);

  public static void main(String[] args) {
    SpringApplication.run(Application.class, args);
  }

  /** The global mapping. */
  @Configuration
  @ConditionalOnProperty(name = "layer", havingValue = "mapping")
  static class Mapping implements WebMvcConfigurer {
    @Override
    public void addCorsMappings(CorsRegistry registry) {
      registry.addMapping("/**")
          .allowedOrigins(ORIGIN)
          .allowedMethods("GET", "PUT")
          .allowedHeaders("x-a", "content-type")
          .exposedHeaders("x-id")
          .allowCredentials(true)
          .maxAge(600);
    }
  }

  /** The filter. */
  @Configuration
  @ConditionalOnProperty(name = "layer", havingValue = "filter")
  static class Filter {
    @Bean
    CorsFilter corsFilter() {
      CorsConfiguration cors = new CorsConfiguration();
      cors.setAllowedOrigins(List.of(ORIGIN));
      cors.setAllowedMethods(List.of("GET", "PUT"));
      cors.setAllowedHeaders(List.of("x-a", "content-type"));
      cors.setExposedHeaders(List.of("x-id"));
      cors.setAllowCredentials(true);
      cors.setMaxAge(600L);
      UrlBasedCorsConfigurationSource source = new UrlBasedCorsConfigurationSource();
      source.registerCorsConfiguration("/**", cors);
      return new CorsFilter(source);
    }
  }

  @GetMapping("/ok")
  Map<String, Boolean> read(HttpServletResponse response) {
    System.out.println("ran");
    response.addHeader("Vary", "Accept-Encoding");
    response.setHeader("X-Id", "1");
    return BODY;
  }

  @PutMapping("/ok")
  Map<String, Boolean> write(HttpServletResponse response) {
    return read(response);
  }

  @GetMapping("/boom")
  void boom() {
    System.out.println("ran");
    throw new IllegalStateException("boom");
  }

  @GetMapping("/acao")
  Map<String, Boolean> own(HttpServletResponse response) {
    System.out.println("ran");
    response.setHeader("Access-Control-Allow-Origin", "*");
    return BODY;
  }
}
